#include <catch2/catch.hpp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/npz.hpp>
#include <bitgrad/core/io/safetensors.hpp>
#include <bitgrad/core/io/tensor_file.hpp>
#include "support/temporary_directory.hpp"

using namespace bitgrad;
using Catch::Contains;

TEST_CASE("tensor file: either format, by content") {
  const support::TemporaryDirectory directory;
  const NamedTensors tensors{{"a", Tensor::from({2}, {1.0F, 2.0F})}};
  for (const NamedTensors& each : {tensors, NamedTensors()}) {
    io::write_npz(directory / "npz.safetensors", each);
    io::write_safetensors(directory / "safetensors.npz", each);
    CHECK(identical(io::read_tensor_file(directory / "npz.safetensors"), each));
    CHECK(identical(io::read_tensor_file(directory / "safetensors.npz"), each));
  }
  io::write_file_atomically(directory / "text", "neither of them");
  CHECK_THROWS_WITH(io::read_tensor_file(directory / "text"), Contains("text"));
  CHECK_THROWS_AS(io::read_tensor_file(directory / "missing"), IoError);
}
