#include <bitgrad/core/kernels/conv.hpp>

#include <bitgrad/core/kernels/buffer.hpp>
#include <bitgrad/core/kernels/framed.hpp>

namespace bitgrad::kernels {
namespace direct {
namespace {

/// A kernel [taps_h, taps_w, in, out] as one group of it sees: W(kh, kw, term channel, output channel) lies at
/// kernel[(kh * k_w + kw) * tap + source channel * source + target channel * target].
struct KernelLayout {
  Index k_w, tap, source, target;
};

/// What happens to what the target held before.
enum class Store { overwrite, add };

/// What one pair of phases computes in one group: runs of neighbouring source elements and the weights in their order.
class Program {
 public:
  Program(const Phase& height, const Phase& width, Index source_channels, Index target_channels, bool merge)
      : height_(height), width_(width), source_channels_(source_channels), target_channels_(target_channels),
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
  void pack(const float* kernel, const KernelLayout& layout, float* out) const {
    for (Index c = 0; c < target_channels_;) {
      const Index width = table().channel_block(target_channels_ - c), count = std::min(width, target_channels_ - c);
      for (const Tap& h : height_.taps)
        for (const Tap& w : width_.taps) {
          const float* from = kernel + (h.kernel * layout.k_w + w.kernel) * layout.tap + c * layout.target;
          for (Index i = 0; i < source_channels_; ++i, from += layout.source, out += width) {
            for (Index o = 0; o < count; ++o) out[o] = from[o * layout.target];
            std::fill(out + count, out + width, 0.0f);
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

/// A pass from a source image to a target image: the forward pass from x to y, the data gradient from dy to dx.
struct Pass {
  Index batch, groups;
  Image source, target;
  std::vector<Phase> heights, widths;
  const float* kernel;
  KernelLayout layout;
  Index group_kernel;  ///< distance between the kernels of two groups
  Store store;

  Index source_channels() const { return source.channels / groups; }
  Index target_channels() const { return target.channels / groups; }
};

/// All programs of a pass with their packed weights, [phase of rows][phase of columns][group].
class Programs {
 public:
  Programs(const Pass& pass, const Source& source) : weights_(total(pass)) {
    float* at = weights_.data();
    for (const Phase& height : pass.heights)
      for (const Phase& width : pass.widths) {
        const Program program(height, width, pass.source_channels(), pass.target_channels(), pass.groups == 1);
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
    const float* weights;              // of its groups
  };
  const std::vector<Item>& items() const { return items_; }

 private:
  static Index total(const Pass& pass) {
    Index sum = 0;
    for (const Phase& height : pass.heights)
      for (const Phase& width : pass.widths)
        sum += Program(height, width, pass.source_channels(), pass.target_channels(), false).weights() * pass.groups;
    return sum;
  }
  Scratch<float> weights_;
  std::vector<Item> items_;
};

/// Multiply-adds of one band.
Index band_work(const Pass& pass, const Programs& programs, const Bands& bands) {
  Index terms = 0;
  for (const Programs::Item& item : programs.items())
    terms += item.program.runs() * item.program.run_length() * item.program.width().count;
  return std::max<Index>(bands.rows() * terms * pass.target.channels, 1);
}

/// One band of one phase, all groups. `x` and `y` are where pixel (0, 0) of source and target lie.
void run_item(const Pass& pass, const Programs::Item& item, const Source& source, Index row, Index end, const float* x,
              const float* start, float* y) {
  const Phase &height = item.program.height(), &width = item.program.width();
  const Index target_pixel = pass.target.channels, target_row = pass.target.width * target_pixel;
  DirectConvolution p{.rows = end - row,
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
                      .start = start,
                      .y = y + (height.first + row * height.step) * target_row + width.first * target_pixel,
                      .y_row = height.step * target_row,
                      .y_pixel = width.step * target_pixel,
                      .add = pass.store == Store::add};
  for (Index group = 0; group < pass.groups; ++group) {
    table().convolve(&p);
    p.x += pass.source_channels();
    p.y += pass.target_channels();
    p.weights += item.program.weights();
  }
}

void run(const Pass& pass, const float* x, float* y) {
  const Source source(pass.source, x, seen(pass.heights, 0, most_outputs(pass.heights)),
                      seen(pass.widths, 0, most_outputs(pass.widths)), pass.source.channels);
  const Programs programs(pass, source);
  const std::vector<float> start(static_cast<std::size_t>(filled(pass.target_channels())), 0.0f);
  const Bands bands(pass.heights, source.row(), cache_elements);
  const Index grain = std::max<Index>(chunk_work / band_work(pass, programs, bands), 1);
  parallel_for(pass.batch * bands.count(), grain, [&](Index begin, Index end) {
    const Scratch<float> scratch(source.scratch(bands.source_rows()));
    for (Index i = begin; i < end; ++i) {
      const Index n = i / bands.count(), band = i % bands.count();
      const float* from = source.band(n, bands.source(band), scratch.data());
      for (const Programs::Item& item : programs.items())
        run_item(pass, item, source, bands.begin(band), bands.end(band, item.program.height()), from, start.data(),
                 y + n * pass.target.size());
    }
  });
}

}  // namespace
}  // namespace direct

void conv2d_forward(const Conv2DGeometry& geometry, const float* x, const float* kernel, float* y) {
  using namespace direct;
  const Conv2DGeometry g = flattened(geometry);
  const Index in = g.in_c / g.groups, out = g.out_c / g.groups;
  run({g.batch, g.groups, input_of(g), output_of(g), {forward_phase(height_of(g))}, {forward_phase(width_of(g))}, kernel,
       {g.k_w, in * g.out_c, g.out_c, 1}, out, Store::overwrite},
      x, y);
}

void conv2d_data_gradient(const Conv2DGeometry& geometry, const float* dy, const float* kernel, float* dx) {
  using namespace direct;
  const Conv2DGeometry g = flattened(geometry);
  const Index in = g.in_c / g.groups, out = g.out_c / g.groups;
  run({g.batch, g.groups, output_of(g), input_of(g), gradient_phases(height_of(g)), gradient_phases(width_of(g)), kernel,
       {g.k_w, in * g.out_c, 1, g.out_c}, out, Store::add},
      dy, dx);
}

}  // namespace bitgrad::kernels
