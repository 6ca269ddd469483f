#include <bitgrad/qat/inference/detail/chains.hpp>

#include <algorithm>

#include <bitgrad/qat/inference/detail/table.hpp>

namespace bitgrad::inference {
namespace {

/// A scale cannot be negative, so that a normalisation with a negative gamma stays outside. (Those that training knows
/// of have none: channels are negated when quantization starts.)
bool folds(const RecordedBatchNorm& batch_norm) {
  return std::ranges::none_of(batch_norm.gamma.span<float>(), [](float gamma) { return gamma < 0; });
}

}  // namespace

Chains::Chains(const std::vector<RecordedValue>& values, int output)
    : values_(values),
      grids_(values.size()),
      readers_(values.size(), 0),
      live_(values.size(), 0),
      absorbed_(values.size(), 0) {
  count_readers(output);
  find_grids();
  const int count = static_cast<int>(values.size());
  for (int v = 0; v < count; ++v) {
    if (!emitted(v) || !value(v).as<RecordedQuantize>()) continue;
    if (std::optional<Chain> chain = match(v)) {
      for (const int link : chain->links) absorb(link);
      if (chain->batch_norm >= 0) absorb(chain->batch_norm);
      if (!chain->is_table) absorb(chain->producer);
      chains_.emplace(v, std::move(*chain));
    }
  }
  for (int v = 0; v < count; ++v) {
    const auto* batch_norm = value(v).as<RecordedBatchNorm>();
    if (!emitted(v) || !batch_norm || !folds(*batch_norm)) continue;
    const int linear = value(v).inputs[0];
    if (!has_one_reader(linear) || !value(linear).as<RecordedLinear>() || !computes_on_codes(linear)) continue;
    folds_.emplace(v, linear);
    absorb(linear);
  }
}

void Chains::count_readers(int output) {
  live_[static_cast<std::size_t>(output)] = 1;
  live_[0] = 1;  // a graph has an input, even when nobody reads it
  readers_[static_cast<std::size_t>(output)] = 1;
  for (std::size_t v = values_.size(); v-- > 0;)
    for (const int input : live_[v] ? values_[v].inputs : std::vector<int>()) {
      live_[static_cast<std::size_t>(input)] = 1;
      ++readers_[static_cast<std::size_t>(input)];
    }
}

void Chains::find_grids() {
  for (std::size_t v = 0; v < values_.size(); ++v) {
    const RecordedValue& recorded = values_[v];
    if (const auto* quantize = recorded.as<RecordedQuantize>())
      grids_[v] = quantize->grid;
    else if (is_move(recorded) || brings_zeros(recorded))
      grids_[v] = grids_[static_cast<std::size_t>(recorded.inputs[0])];
    else if (recorded.as<FloatWhere>() && grid(recorded.inputs[0]) == grid(recorded.inputs[1]))
      grids_[v] = grid(recorded.inputs[0]);
  }
}

bool Chains::computes_on_codes(int v) const {
  const RecordedValue& recorded = value(v);
  const bool known = recorded.as<FloatAdd>() || recorded.as<FloatConcat>() || recorded.as<FloatAveragePool2D>() ||
                     recorded.as<FloatGlobalAveragePool2D>();
  const auto* linear = recorded.as<RecordedLinear>();
  if (!known && !(linear && linear->grid)) return false;
  return std::ranges::all_of(recorded.inputs, [&](int input) { return grid(input).has_value(); });
}

const Chain* Chains::behind(int quantize) const {
  const auto found = chains_.find(quantize);
  return found == chains_.end() ? nullptr : &found->second;
}

std::optional<Chain> Chains::float_fold(int v) const {
  if (const auto fold = folds_.find(v); fold != folds_.end())
    return Chain{.producer = fold->second, .batch_norm = v, .links = {}};
  if (value(v).as<RecordedLinear>() && computes_on_codes(v)) return Chain{.producer = v, .links = {}};
  return std::nullopt;
}

std::optional<Chain> Chains::match(int quantize) const {
  Chain chain;
  int v = value(quantize).inputs[0];
  const auto is_link = [&](int u) { return is_move(value(u)) || is_element_function(value(u)); };
  for (; !grid(v) && is_link(v); v = value(v).inputs[0]) {
    if (!has_one_reader(v)) return std::nullopt;
    chain.links.insert(chain.links.begin(), v);
  }
  chain.producer = v;
  chain.is_table = grid(v).has_value();
  if (!chain.is_table && (!has_one_reader(v) || !computes_on_codes(v))) return std::nullopt;
  const auto after = std::ranges::find_if(chain.links, [&](int link) { return !belongs_to(v, link); });
  const auto* batch_norm = after == chain.links.end() ? nullptr : value(*after).as<RecordedBatchNorm>();
  if (batch_norm && folds(*batch_norm) && !chain.is_table && value(v).as<RecordedLinear>()) {
    chain.batch_norm = *after;
    chain.links.erase(after);
  }
  return accepts(chain) ? std::optional(std::move(chain)) : std::nullopt;
}

bool Chains::belongs_to(int linear, int link) const {
  const RecordedValue& reshaped = value(link);
  if (!reshaped.as<ReshapeOp>() || reshaped.layer != value(linear).layer || reshaped.shape.rank() == 0) return false;
  return reshaped.shape[-1] == value(linear).shape[-1];
}

bool Chains::accepts(const Chain& chain) const {
  const auto is_function = [&](int v) { return !is_move(value(v)) && !value(v).as<FloatClamp>(); };
  const bool functions = std::ranges::any_of(chain.links, is_function);
  if (!chain.is_table) return !functions;
  const bool moves = std::ranges::any_of(chain.links, [&](int v) { return is_move(value(v)); });
  std::vector<const RecordedValue*> links;
  for (const int v : chain.links) links.push_back(&value(v));
  return !(functions && moves) && table_fits(links, *grid(chain.producer));
}

}  // namespace bitgrad::inference
