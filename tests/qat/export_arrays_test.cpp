// Graphs as named arrays. NumPy and the safetensors package read them in tests/interop.
#include <catch2/catch.hpp>

#include <bitgrad/core/io/npz.hpp>
#include <bitgrad/core/io/safetensors.hpp>
#include <bitgrad/qat/export/arrays.hpp>
#include <bitgrad/qat/export/detail/bits.hpp>
#include "qat/inference_support.hpp"
#include "support/temporary_directory.hpp"

using namespace bitgrad;
using namespace bitgrad::test;

namespace {

/// 8-bit input, dense of 2 inputs and 2 outputs with codes {1, -2, 0, 3} of 3 bits, no grid behind it.
InferenceGraph dense_graph() {
  InferenceGraphBuilder builder({2});
  builder.set_layer_name("in");
  const GraphValue x = builder.quantize(builder.input(), activations(unsigned_grid(8, 0.5F, 3)));
  const WeightQuantizers quantizers = kernel_on(signed_grid(3, 0.25F));
  builder.set_layer_name("fc");
  const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
  return builder.finish(
      builder.dense(x, {"kernel", floats({2, 2}, {0.25F, -0.5F, 0, 0.75F})}, {"bias", floats({2}, {1, -2})}));
}

}  // namespace

TEST_CASE("arrays: what a dense layer has") {
  const GraphArrays arrays = export_arrays(dense_graph());
  const auto& tensors = arrays.tensors;
  CHECK(tensors.names() == std::vector<std::string>{"in.scale", "in.zero_point", "in.range", "fc.kernel",
                                                    "fc.kernel.codes", "fc.kernel.packed", "fc.kernel.scale",
                                                    "fc.kernel.zero_point", "fc.kernel.range", "fc.bias",
                                                    "fc.bias.codes", "fc.multiplier"});
  CHECK(identical(tensors.at("fc.kernel"), floats({2, 2}, {0.25F, -0.5F, 0, 0.75F})));
  CHECK(identical(tensors.at("fc.kernel.codes"), Tensor::from({2, 2}, std::vector<std::int8_t>{1, -2, 0, 3})));
  // 5, 2, 4, 7 in three bits each: 101 010 100 111 from the low end
  CHECK(identical(tensors.at("fc.kernel.packed"),
                  Tensor::from({2}, std::vector<std::uint8_t>{0b00'010'101, 0b0000'111'1})));
  CHECK(codes_in(tensors.at("fc.bias.codes")) == std::vector<std::int32_t>{8, -16});
  CHECK(values_in(tensors.at("fc.bias")) == std::vector<float>{1, -2});
  CHECK(values_in(tensors.at("fc.multiplier")) == std::vector<float>{0.125F, 0.125F});
  CHECK(codes_in(tensors.at("in.range")) == std::vector<std::int32_t>{0, 255});
  CHECK(arrays.metadata.at("format") == "bitgrad.arrays");
  CHECK(arrays.metadata.at("fc.kernel") ==
        R"({"bits":3,"lowest":-4,"highest":3,"layout":"IO","input":"in","output":"fc"})");
}

TEST_CASE("arrays: random graphs survive both files") {
  const support::TemporaryDirectory directory;
  for (unsigned seed = 1; seed <= 20; ++seed) {
    const GraphArrays arrays = export_arrays(RandomNetwork(seed, 10).build());
    write_npz(directory / "a.npz", arrays);
    write_safetensors(directory / "a.safetensors", arrays);
    NamedTensors npz = io::read_npz(directory / "a.npz");
    const io::SafeTensors safe = io::read_safetensors(directory / "a.safetensors");
    CHECK(identical(safe.tensors, arrays.tensors));
    CHECK(safe.metadata == arrays.metadata);
    CHECK(npz.size() == arrays.tensors.size() + 1);
    for (const auto& [name, tensor] : arrays.tensors) CHECK(identical(npz.at(name), tensor));
  }
  CHECK(directory.names() == std::vector<std::string>{"a.npz", "a.safetensors"});
}

TEST_CASE("arrays: codes of every width, packed") {
  for (int bits = 1; bits <= 16; ++bits) {
    Dice dice(static_cast<unsigned>(bits));
    const std::int32_t lowest = -(1 << (bits - 1));
    std::vector<std::int32_t> codes(37);
    for (std::int32_t& code : codes) code = lowest + static_cast<std::int32_t>(dice.integer(0, (1 << bits) - 1));
    const std::vector<std::uint8_t> packed = pack_bits(codes, lowest, bits);
    CHECK(packed.size() == static_cast<std::size_t>((37 * bits + 7) / 8));
    std::vector<std::int32_t> unpacked;
    for (int i = 0; i < 37; ++i) {
      std::int32_t code = lowest;
      for (int b = 0; b < bits; ++b)
        code += (packed[static_cast<std::size_t>((i * bits + b) / 8)] >> ((i * bits + b) % 8) & 1) << b;
      unpacked.push_back(code);
    }
    CHECK(unpacked == codes);
  }
}
