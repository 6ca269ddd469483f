#include <bitgrad/core/io/tensor_file.hpp>

#include <bitgrad/core/io/detail/bytes.hpp>
#include <bitgrad/core/io/npz.hpp>
#include <bitgrad/core/io/safetensors.hpp>

namespace bitgrad::io {

NamedTensors read_tensor_file(const Path& path) {
  const Bytes bytes = read_file(path);
  const std::string_view text = text_of(bytes);
  const bool is_zip =
      text.starts_with("PK\x03\x04") || text.starts_with("PK\x05\x06");  // the latter is an empty archive
  return is_zip ? parse_npz(bytes, path.string()) : parse_safetensors(bytes, path.string()).tensors;
}

}  // namespace bitgrad::io
