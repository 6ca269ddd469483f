#include <bitgrad/quantizers/detail/conformance/frozen.hpp>

#include <limits>

namespace bitgrad::conformance {

void FrozenChecks::run() {
  check_levels();
  const Quantization quantization{.values = [this](const Tensor& x) { return q_(x); },
                                  .ruler = ruler_,
                                  .rank = options_.rank,
                                  .bits = q_.bits(),
                                  .state = state_,
                                  .seed = options_.seed};
  check_outputs(quantization, recorder_);
  const Probe probe(ruler_, options_.rank, dense_positions(ruler_, options_.seed));
  check_codes(probe);
  check(Property::special_values, "a NaN", [&] { no_code_for_nan(probe); });
  check(Property::serialization, "to_json()", [&] { serialization(probe); });
  check(Property::threads, "many inputs", [&] {
    check_threads(
        quantization, options_.threads,
        [this](const Tensor& x) {
          return std::vector{q_(x), q_.codes(x)};
        },
        recorder_);
  });
}

void FrozenChecks::no_code_for_nan(const Probe& probe) {
  Tensor x = probe.x.clone();
  x.data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  try {
    const Tensor codes = q_.codes(x);
    find(Property::special_values, "codes() of a NaN",
         message("is ", codes.data<std::int32_t>()[0], ", expected a ValueError"));
  } catch (const ValueError&) {
  }
}

void FrozenChecks::serialization(const Probe& probe) {
  const std::string json = q_.to_json(), line = q_.describe();
  if (line.empty() || line.find('\n') != std::string::npos)
    find(Property::serialization, "describe()", message("\"", line, "\", expected one line"));
  const InferablePtr read = inferable_from_json(json), copy = q_.clone();
  for (const BaseInferableQuantizer* other : {read.get(), copy.get()}) {
    const char* what = other == read.get() ? "reads back as " : "is copied as ";
    if (other->type() != q_.type() || other->to_json() != json || other->describe() != line || !same_levels(*other))
      find(Property::serialization, json, message(what, other->to_json(), " (", other->describe(), ")"));
    else if (!identical((*other)(probe.x), q_(probe.x)))
      find(Property::serialization, json, message(what, "a quantizer with other values"));
  }
}

void check_frozen(const BaseInferableQuantizer& quantizer, const ConformanceOptions& options, const std::string& state,
                  Recorder& recorder) {
  const auto check = quantizer.table() ? check_table : check_grid;
  recorder.check(Property::levels, state + "its levels", [&] { check(quantizer, options, state, recorder); });
}

}  // namespace bitgrad::conformance
