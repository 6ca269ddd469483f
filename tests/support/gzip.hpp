// Writes gzip, for tests of what reads it.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <span>
#include <stdexcept>
#include <vector>

namespace support {

inline std::vector<std::byte> gzipped(std::span<const std::byte> bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::runtime_error("deflateInit2");
  std::vector<std::byte> out(deflateBound(&stream, static_cast<uLong>(bytes.size())));
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int status = deflate(&stream, Z_FINISH);
  const std::size_t unused = stream.avail_out;
  deflateEnd(&stream);
  if (status != Z_STREAM_END) throw std::runtime_error("deflate");
  return {out.begin(), out.end() - static_cast<std::ptrdiff_t>(unused)};
}

}  // namespace support
