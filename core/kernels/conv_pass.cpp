#include <bitgrad/core/kernels/conv_pass.hpp>

#include <bitgrad/core/kernels/buffer.hpp>

namespace bitgrad::kernels::direct {
namespace {

/// What one pair of phases computes in one group: runs of neighbouring source elements and the weights in their order.
class Program {
 public:
  Program(const Phase& height, const Phase& width, Index source_channels, Index target_channels, bool merge)
      : height_(height),
        width_(width),
        source_channels_(source_channels),
        target_channels_(target_channels),
        merge_(merge && neighbours(width)) {}

  Index runs() const { return static_cast<Index>(height_.taps.size() * (merge_ ? 1 : width_.taps.size())); }
  Index run_length() const { return source_channels_ * (merge_ ? static_cast<Index>(width_.taps.size()) : 1); }
  Index weights() const { return runs() * run_length() * filled(target_channels_); }

  /// f(row shift, column shift) of every run.
  template <class F>
  void for_each_run(F&& f) const {
    const std::size_t columns = merge_ ? 1 : width_.taps.size();
    for (const Tap& h : height_.taps)
      for (std::size_t i = 0; i < columns; ++i) f(h.shift, width_.taps[i].shift);
  }

  /// The weights as convolve() wants them: [block][run][i][width of the block].
  template <class T>
  void pack(const T* kernel, const KernelLayout& layout, T* out) const {
    for (Index c = 0; c < target_channels_;) {
      const Index width = table().channel_block(target_channels_ - c), count = std::min(width, target_channels_ - c);
      for (const Tap& h : height_.taps)
        for (const Tap& w : width_.taps) {
          const T* from = kernel + (h.kernel * layout.k_w + w.kernel) * layout.tap + c * layout.target;
          for (Index i = 0; i < source_channels_; ++i, from += layout.source, out += width) {
            for (Index o = 0; o < count; ++o) out[o] = from[o * layout.target];
            std::fill(out + count, out + width, T{0});
          }
        }
      c += count;
    }
  }

  const Phase& height() const { return height_; }
  const Phase& width() const { return width_; }

 private:
  /// True when taps are one pixel apart, so that the channels under a row of the kernel follow each other.
  static bool neighbours(const Phase& phase) {
    for (std::size_t i = 1; i < phase.taps.size(); ++i)
      if (phase.taps[i].shift != phase.taps[i - 1].shift + 1) return false;
    return !phase.taps.empty();
  }

  const Phase& height_;
  const Phase& width_;
  Index source_channels_, target_channels_;
  bool merge_;
};

/// All programs of a pass with their packed weights, [phase of rows][phase of columns][group].
template <class T>
class Programs {
 public:
  Programs(const Pass<T>& pass, const Source<T>& source) : weights_(total(pass)) {
    T* at = weights_.data();
    for (const Phase& height : pass.heights)
      for (const Phase& width : pass.widths) {
        const Program program(height, width, pass.source_channels(), pass.target_channels(),
                              pass.groups == 1 && !pass.depthwise);
        Item item{program, {}, {}, at};
        program.for_each_run([&](Index h, Index w) {
          item.offsets.push_back(h * source.row() + w * source.pixel());
          item.rows.push_back(h);
        });
        items_.push_back(std::move(item));
        for (Index group = 0; group < pass.groups; ++group, at += program.weights())
          program.pack(pass.kernel + group * pass.group_kernel, pass.layout, at);
      }
  }
  struct Item {
    Program program;
    std::vector<Index> offsets, rows;  // of its runs
    const T* weights;                  // of its groups
  };
  const std::vector<Item>& items() const { return items_; }

 private:
  static Index total(const Pass<T>& pass) {
    Index sum = 0;
    for (const Phase& height : pass.heights)
      for (const Phase& width : pass.widths)
        sum += Program(height, width, pass.source_channels(), pass.target_channels(), false).weights() * pass.groups;
    return sum;
  }
  Scratch<T> weights_;
  std::vector<Item> items_;
};

/// Multiply-adds of one band.
template <class T>
Index band_work(const Pass<T>& pass, const Programs<T>& programs, const Bands& bands) {
  Index terms = 0;
  for (const auto& item : programs.items())
    terms += item.program.runs() * item.program.run_length() * item.program.width().count;
  return std::max<Index>(bands.rows() * terms * pass.target.channels, 1);
}

/// `start` of every group, filled up to the end of its last block.
template <class T>
std::vector<T> start_rows(const Pass<T>& pass) {
  const Index channels = pass.target_channels(), row = filled(channels);
  std::vector<T> rows(static_cast<std::size_t>(pass.groups * row), T{0});
  if (pass.start == nullptr) return rows;
  for (Index group = 0; group < pass.groups; ++group)
    std::copy_n(pass.start + group * channels, channels, rows.data() + group * row);
  return rows;
}

void convolve(const DirectConvolution<float>& p) { table().convolve_float(&p); }
void convolve(const DirectConvolution<std::int32_t>& p) { table().convolve_int32(&p); }

/// One band of one phase, all groups. `x` and `y` are where pixel (0, 0) of source and target lie.
template <class T>
void run_item(const Pass<T>& pass, const typename Programs<T>::Item& item, const Source<T>& source, Index row,
              Index end, const T* x, const std::vector<T>& start, T* y) {
  const Phase &height = item.program.height(), &width = item.program.width();
  const Index target_pixel = pass.target.channels, target_row = pass.target.width * target_pixel;
  DirectConvolution<T> p{.rows = end - row,
                         .pixels = width.count,
                         .channels = pass.target_channels(),
                         .x = x + row * height.source_step * source.row(),
                         .x_row = height.source_step * source.row(),
                         .x_pixel = width.source_step * source.pixel(),
                         .run_offset = item.offsets.data(),
                         .run_row = item.rows.data(),
                         .source_row = row * height.source_step,
                         .source_step = height.source_step,
                         .source_rows = pass.source.height,
                         .runs = item.program.runs(),
                         .run_length = item.program.run_length(),
                         .weights = item.weights,
                         .start = start.data(),
                         .y = y + (height.first + row * height.step) * target_row + width.first * target_pixel,
                         .y_row = height.step * target_row,
                         .y_pixel = width.step * target_pixel,
                         .add = pass.store == Store::add,
                         .depthwise = pass.depthwise};
  for (Index group = 0; group < pass.groups; ++group) {
    convolve(p);
    p.x += pass.source_channels();
    p.y += pass.target_channels();
    p.weights += item.program.weights();
    p.start += static_cast<Index>(start.size()) / pass.groups;
  }
}

}  // namespace

template <class T>
void run(const Pass<T>& pass, const T* x, T* y) {
  const Source<T> source(pass.source, x, seen(pass.heights, 0, most_outputs(pass.heights)),
                         seen(pass.widths, 0, most_outputs(pass.widths)),
                         pass.depthwise ? filled(pass.source.channels) : pass.source.channels);
  const Programs<T> programs(pass, source);
  const std::vector<T> start = start_rows(pass);
  const Bands bands(pass.heights, source.row(), band_elements);
  const Index grain = std::max<Index>(chunk_work / band_work(pass, programs, bands), 1);
  parallel_for(pass.batch * bands.count(), grain, [&](Index begin, Index end) {
    const Scratch<T> scratch(source.scratch(bands.source_rows()));
    for (Index i = begin; i < end; ++i) {
      const Index n = i / bands.count(), band = i % bands.count();
      const T* from = source.band(n, bands.source(band), scratch.data());
      for (const auto& item : programs.items())
        run_item<T>(pass, item, source, bands.begin(band), bands.end(band, item.program.height()), from, start,
                    y + n * pass.target.size());
    }
  });
}

template void run<float>(const Pass<float>&, const float*, float*);
template void run<std::int32_t>(const Pass<std::int32_t>&, const std::int32_t*, std::int32_t*);

}  // namespace bitgrad::kernels::direct
