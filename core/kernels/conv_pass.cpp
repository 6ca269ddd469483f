#include <bitgrad/core/kernels/conv_pass.hpp>

#include <cstring>
#include <limits>

#include <bitgrad/core/serial_scope.hpp>

namespace bitgrad::kernels::direct {

bool are_neighbours(const Phase& phase) {
  for (std::size_t i = 1; i < phase.taps.size(); ++i)
    if (phase.taps[i].shift != phase.taps[i - 1].shift + 1) return false;
  return !phase.taps.empty();
}

namespace {

constexpr Index no_place = -1;  // in a kernel: of what fills up the last word of a run

/// Where the kernel of a group has the weights that the elements of all runs meet, for its first target channel: so
/// many times `Elements` places as there are terms.
template <Index Elements, class T>
void find_places(const Pass<T>& pass, const Phase& height, const Phase& width, Index* place) {
  const KernelLayout& layout = pass.layout;
  const Index run = run_elements(pass, width);
  Index in_run = 0;
  for (const Tap& h : height.taps)
    for (const Tap& w : width.taps)
      for (Index i = 0; i < pass.source_channels(); ++i) {
        *place++ = (h.kernel * layout.k_w + w.kernel) * layout.tap + i * layout.source;
        if (++in_run < run) continue;
        for (; in_run % Elements != 0; ++in_run) *place++ = no_place;
        in_run = 0;
      }
}

/// The weights of a target channel at `Elements` places as one word.
template <Index Elements, class Word, class T>
Word word_of(const T* weights, const Index* places) {
  if constexpr (Elements == 1) {
    return weights[*places];
  } else {
    using Element = std::conditional_t<Elements == 4, std::int8_t, T>;
    Element elements[Elements] = {};
    for (Index e = 0; e < Elements; ++e)
      if (places[e] != no_place) elements[e] = static_cast<Element>(weights[places[e]]);
    Word word;
    static_assert(sizeof elements == sizeof word);
    std::memcpy(&word, elements, sizeof word);
    return word;
  }
}

/// The weights of one group as convolve() wants them: [block][word of a run][width of the block].
template <Index Elements, class T, class Word>
void pack(Index terms, const Index* places, const T* kernel, Index target_distance, Index target_channels, Word* out) {
  for (Index c = 0; c < target_channels;) {
    const Index block = table().channel_block(target_channels - c), count = std::min(block, target_channels - c);
    const T* from = kernel + c * target_distance;
    for (Index term = 0; term < terms; ++term, out += block) {
      for (Index o = 0; o < count; ++o)
        out[o] = word_of<Elements, Word>(from + o * target_distance, places + term * Elements);
      std::fill(out + count, out + block, Word{0});
    }
    c += count;
  }
}

void convolve(const KernelTable& loops, const DirectConvolution<float>& p) { loops.convolve_float(&p); }
void convolve(const KernelTable& loops, const DirectConvolution<std::int32_t>& p) { loops.convolve_int32(&p); }

/// Elements that are read behind a run.
template <Index Elements, class T>
Index beyond_runs(const Pass<T>& pass) {
  if constexpr (Elements == 1) return 0;
  const Index run = run_elements(pass, pass.widths.front());
  return chunk_count(run, Elements) * Elements - run;
}

}  // namespace

/// What one pair of phases computes, in every group: runs of neighbouring source words and the weights in their order.
template <class T, class Frame>
struct PackedPass<T, Frame>::Item {
  Phase height, width;
  Index run_length = 0;                        // words
  std::vector<Index> offsets = {}, rows = {};  // of the runs
  Index group_weights = 0;
  Scratch<Word> weights;  // of the groups

  Item(const Pass<T>& pass, const Source<T, Frame>& source, const Phase& of_rows, const Phase& of_columns)
      : height(of_rows), width(of_columns), weights(0) {
    const Index run = run_elements(pass, width);
    run_length = chunk_count(run, elements);
    const auto taps_of_run = static_cast<std::size_t>(run / pass.source_channels());
    for (const Tap& h : height.taps)
      for (std::size_t i = 0; i < width.taps.size(); i += taps_of_run) {
        offsets.push_back(h.shift * source.row() + width.taps[i].shift * source.pixel());
        rows.push_back(pass.lowest == 0 ? h.shift : 0);  // else all rows count, also those of the frame
      }
    group_weights = terms() * filled(pass.target_channels());
    weights = Scratch<Word>(std::max<Index>(group_weights * pass.groups, 1));
    const Scratch<Index> places(terms() * elements);
    find_places<elements>(pass, height, width, places.data());
    for (Index group = 0; group < pass.groups; ++group)
      pack<elements>(terms(), places.data(), pass.kernel + group * pass.group_kernel, pass.layout.target,
                     pass.target_channels(), weights.data() + group * group_weights);
  }
  Index terms() const { return static_cast<Index>(offsets.size()) * run_length; }
};

/// Where results go: sums or codes.
template <class T, class Frame>
struct PackedPass<T, Frame>::Target {
  Word* sums = nullptr;
  std::int16_t* codes = nullptr;

  Target image(Index first) const {
    return codes != nullptr ? Target{.codes = codes + first} : Target{.sums = sums + first};
  }
  /// Makes `place` of the target the first place that the loops write to.
  void from(Index place, DirectConvolution<Word>& p) const {
    if (codes != nullptr)
      p.codes = codes + place;
    else
      p.y = sums + place;
  }
};

template <class T, class Frame>
PackedPass<T, Frame>::PackedPass(Pass<T> pass)
    : loops_(table()),
      pass_(std::move(pass)),
      source_(pass_.source, seen(pass_.heights, 0, most_outputs(pass_.heights)),
              seen(pass_.widths, 0, most_outputs(pass_.widths)),
              pass_.depthwise ? filled(pass_.source.channels) : pass_.source.channels, beyond_runs<elements>(pass_),
              {pass_.lowest}),
      bands_(pass_.heights, source_.row(), band_elements),
      fine_bands_(bands_) {
  const Index channels = pass_.target_channels(), row = filled(channels);
  start_.assign(static_cast<std::size_t>(pass_.groups * row), Word{0});
  for (Index group = 0; pass_.start != nullptr && group < pass_.groups; ++group)
    std::copy_n(pass_.start + group * channels, channels, start_.data() + group * row);
  if constexpr (std::is_same_v<Frame, std::uint8_t>) start_from_lowest();
  if (pass_.codes.multiplier != nullptr) multipliers_.assign(start_.size(), 0.0F);
  for (Index group = 0; !multipliers_.empty() && group < pass_.groups; ++group)
    std::copy_n(pass_.codes.multiplier + group * channels, channels, multipliers_.data() + group * row);
  for (const Phase& height : pass_.heights)
    for (const Phase& width : pass_.widths) items_.emplace_back(pass_, source_, height, width);
  if (elements > 1) fine_bands_ = bands_.of_rows(chunk_work / (4 * row_work()));
}

template <class T, class Frame>
PackedPass<T, Frame>::PackedPass(PackedPass&&) noexcept = default;
template <class T, class Frame>
PackedPass<T, Frame>::~PackedPass() = default;

/// Frames of bytes hold how far codes lie above the lowest one, whose products with all weights come on top. Forward
/// passes have one pair of phases.
template <class T, class Frame>
void PackedPass<T, Frame>::start_from_lowest() requires(sizeof(Frame) == 1) {
  const Index taps = static_cast<Index>(pass_.heights[0].taps.size() * pass_.widths[0].taps.size());
  const Index channels = pass_.target_channels(), row = filled(channels);
  for (Index group = 0; group < pass_.groups; ++group)
    for (Index c = 0; c < channels; ++c) {
      const T* weights = pass_.kernel + group * pass_.group_kernel + c * pass_.layout.target;
      std::uint32_t sum = 0;  // wraps around as the loops do
      for (Index tap = 0; tap < taps; ++tap)
        for (Index i = 0; i < pass_.source_channels(); ++i)
          sum += static_cast<std::uint32_t>(weights[tap * pass_.layout.tap + i * pass_.layout.source]);
      Word& start = start_[static_cast<std::size_t>(group * row + c)];
      start = static_cast<Word>(static_cast<std::uint32_t>(start) + static_cast<std::uint32_t>(pass_.lowest) * sum);
    }
}

/// Multiply-adds of a row of outputs.
template <class T, class Frame>
Index PackedPass<T, Frame>::row_work() const {
  Index terms = 0;
  for (const Item& item : items_) terms += item.terms() * item.width.count;
  return std::max<Index>(terms * pass_.target.channels, 1);
}

/// What the loops are told whatever the band: everything of the first group.
template <class T, class Frame>
DirectConvolution<SumOf<T>> PackedPass<T, Frame>::arguments(const Item& item) const {
  const Index target_pixel = pass_.target.channels, target_row = pass_.target.width * target_pixel;
  return {.rows = 0,
          .pixels = item.width.count,
          .channels = pass_.target_channels(),
          .x = nullptr,
          .x_row = item.height.source_step * source_.row(),
          .x_pixel = item.width.source_step * source_.pixel(),
          .run_offset = item.offsets.data(),
          .run_row = item.rows.data(),
          .source_row = 0,
          .source_step = item.height.source_step,
          .source_rows = pass_.lowest == 0 ? pass_.source.height : std::numeric_limits<Index>::max(),
          .runs = static_cast<Index>(item.offsets.size()),
          .run_length = item.run_length,
          .weights = item.weights.data(),
          .start = start_.data(),
          .y = nullptr,
          .y_row = item.height.step * target_row,
          .y_pixel = item.width.step * target_pixel,
          .add = pass_.store == Store::add,
          .products = elements == 4     ? Products::quads
                      : elements == 2   ? Products::pairs
                      : pass_.depthwise ? Products::depthwise
                                        : Products::dense,
          .multiplier = multipliers_.data(),
          .lo = static_cast<float>(pass_.codes.lo),
          .hi = static_cast<float>(pass_.codes.hi)};
}

/// One band of one pair of phases, all groups. `x` is where pixel (0, 0) of the source lies, and y begins with that of
/// the target.
template <class T, class Frame>
void PackedPass<T, Frame>::run_item(const Item& item, Index row, Index end, const Frame* x, const Target& y) const {
  const Phase &height = item.height, &width = item.width;
  const Index target_pixel = pass_.target.channels, target_row = pass_.target.width * target_pixel;
  DirectConvolution<Word> p = arguments(item);
  p.rows = end - row;
  p.source_row = row * height.source_step;
  x += row * p.x_row;
  const Index place = (height.first + row * height.step) * target_row + width.first * target_pixel;
  for (Index group = 0; group < pass_.groups; ++group) {
    y.from(place + group * pass_.target_channels(), p);
    p.x = x + group * pass_.source_channels();
    convolve(loops_, p);
    p.weights += item.group_weights;
    const Index filled_channels = static_cast<Index>(start_.size()) / pass_.groups;
    p.start += filled_channels;
    if (!multipliers_.empty()) p.multiplier += filled_channels;
  }
}

template <class T, class Frame>
void PackedPass<T, Frame>::run_images(Index batch, const T* x, const Target& y) const {
  const bool fine = elements > 1 && batch == 1 && !runs_serially();
  const Bands& bands = fine ? fine_bands_ : bands_;
  const Index grain = fine ? 1 : std::max<Index>(chunk_work / (bands.rows() * row_work()), 1);
  parallel_for(batch * bands.count(), grain, [&](Index begin, Index end) {
    const Scratch<Frame> scratch(source_.scratch(bands.source_rows()));
    const bool cleared = bands.count() == 1 && source_.clears(end - begin);
    if (cleared) source_.clear(bands.source_rows(), scratch.data());
    for (Index i = begin; i < end; ++i) {
      const Index n = i / bands.count(), band = i % bands.count();
      const Frame* from = source_.band(x, n, bands.source(band), scratch.data(), cleared);
      for (const Item& item : items_)
        run_item(item, bands.begin(band), bands.end(band, item.height), from, y.image(n * pass_.target.size()));
    }
  });
}

template <class T, class Frame>
void PackedPass<T, Frame>::run_pixels_to(Index pixels, const Frame* x, const Target& y) const {
  const Item& item = items_.front();
  const Index work = std::max<Index>(item.terms() * pass_.target.channels, 1);
  parallel_for(pixels, std::max<Index>(chunk_work / work, 1), [&](Index begin, Index end) {
    DirectConvolution<Word> p = arguments(item);
    p.rows = 1;
    p.pixels = end - begin;
    p.x = x + begin * p.x_pixel;
    y.from(begin * p.y_pixel, p);
    convolve(loops_, p);
  });
}

template <class T, class Frame>
void PackedPass<T, Frame>::run(Index batch, const T* x, SumOf<T>* y) const {
  run_images(batch, x, {.sums = y});
}
template <class T, class Frame>
void PackedPass<T, Frame>::run_pixels(Index pixels, const Frame* x, SumOf<T>* y) const {
  run_pixels_to(pixels, x, {.sums = y});
}
template <class T, class Frame>
void PackedPass<T, Frame>::run(Index batch, const T* x, std::int16_t* y) const
    requires(sizeof(T) == sizeof(std::int16_t)) {
  run_images(batch, x, {.codes = y});
}
template <class T, class Frame>
void PackedPass<T, Frame>::run_pixels(Index pixels, const Frame* x, std::int16_t* y) const
    requires(sizeof(T) == sizeof(std::int16_t)) {
  run_pixels_to(pixels, x, {.codes = y});
}

template class PackedPass<float>;
template class PackedPass<std::int32_t>;
template class PackedPass<std::int16_t>;
template class PackedPass<std::int16_t, std::uint8_t>;

}  // namespace bitgrad::kernels::direct
