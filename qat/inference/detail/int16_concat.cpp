#include <bitgrad/qat/inference/detail/int16_concat.hpp>

#include <algorithm>
#include <numeric>

namespace bitgrad::inference {
namespace {

/// One input of the concatenation.
struct Part {
  Place place;
  Index width = 0;                  ///< neighbouring elements of one of its stretches
  Index first = 0;                  ///< position of centred code 0 in the table
  std::vector<std::int16_t> table;  ///< empty: codes stay as they are

  void copy(const std::int16_t* from, std::int16_t* to) const {
    if (table.empty())
      std::copy_n(from, width, to);
    else
      std::transform(from, from + width, to, [this](std::int16_t q) { return table.data()[q + first]; });
  }
};

/// What the rule makes of every code of a grid.
Part make_part(const Grid& from, const GraphTensor& output, const IntegerConcat& op) {
  Part part;
  part.first = from.zero_point[0] - from.lo;
  Tensor codes({1, static_cast<Index>(from.hi) - from.lo + 1}, DType::int32);
  std::iota(codes.span<std::int32_t>().begin(), codes.span<std::int32_t>().end(), from.lo - from.zero_point[0]);
  const GraphTensor results{output.name, {codes.size()}, output.grid};
  const Tensor mapped = run_code_operation<std::int32_t>(IntegerConcat{0, op.clamp_lo, op.clamp_hi},
                                                         CodeOperands{{&from}, {&codes, 1}, results});
  if (identical(mapped, codes)) return part;
  for (const std::int32_t code : mapped.span<std::int32_t>()) part.table.push_back(static_cast<std::int16_t>(code));
  return part;
}

}  // namespace

Step int16_concat(const InferenceGraph& graph, const MemoryPlan& plan, const GraphNode& node, const IntegerConcat& op) {
  const GraphTensor& output = graph.tensors[static_cast<std::size_t>(node.output)];
  const int axis = normalize_axis(op.axis, output.shape.rank(), "concat");
  Index stretches = 1;  // per sample
  for (int i = 0; i < axis; ++i) stretches *= output.shape[i];
  std::vector<Part> parts;
  for (const int input : node.inputs) {
    const std::size_t t = static_cast<std::size_t>(input);
    Part& part = parts.emplace_back(make_part(*graph.tensors[t].grid, output, op));
    part.place = plan.places[t];
    part.width = part.place.elements / stretches;
  }
  return [parts = std::move(parts), stretches,
          y = plan.places[static_cast<std::size_t>(node.output)]](const Slice& slice) {
    std::int16_t* to = slice.at<std::int16_t>(y);
    for (Index i = 0; i < slice.samples * stretches; ++i)
      for (const Part& part : parts) {
        part.copy(slice.at<std::int16_t>(part.place) + i * part.width, to);
        to += part.width;
      }
  };
}

}  // namespace bitgrad::inference
