#include <bitgrad/core/io/gzip.hpp>

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>

#include <bitgrad/core/error.hpp>

namespace bitgrad::io {
namespace {

constexpr int gzip_format = 15 + 16;         // zlib: the largest window, gzip header and trailer
constexpr int raw_format = -15;              // zlib: the largest window, no header
constexpr std::size_t max_expansion = 1032;  // deflate: a match of 258 bytes takes at least two bits
constexpr std::size_t piece_limit = std::numeric_limits<uInt>::max();

/// One stream of zlib's inflate.
class Inflater {
 public:
  explicit Inflater(int format) {
    if (inflateInit2(&stream_, format) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  /// Unpacks from the front of `in` into `out`, and removes from both what was used. True at the end of the stream;
  /// false when `in` is empty or `out` full before. Throws for corrupt data.
  bool run(std::span<const std::byte>& in, std::span<std::byte>& out, std::string_view what) {
    while (true) {
      stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data()));
      stream_.avail_in = static_cast<uInt>(std::min(in.size(), piece_limit));
      stream_.next_out = reinterpret_cast<Bytef*>(out.data());
      stream_.avail_out = static_cast<uInt>(std::min(out.size(), piece_limit));
      const uInt in_before = stream_.avail_in, out_before = stream_.avail_out;
      const int status = inflate(&stream_, Z_NO_FLUSH);
      in = in.subspan(in_before - stream_.avail_in);
      out = out.subspan(out_before - stream_.avail_out);
      if (status == Z_STREAM_END) return true;
      if (status == Z_BUF_ERROR) return false;  // nothing more can be done with this input or output
      if (status == Z_MEM_ERROR) throw std::bad_alloc();
      if (status != Z_OK)
        fail<IoError>(what, ": the compressed data is corrupt", stream_.msg != nullptr ? ": " : "",
                      stream_.msg != nullptr ? stream_.msg : "");
    }
  }

 private:
  z_stream stream_{};
};

/// Appends the content of the member at the front of `in`, and removes it from `in`.
void append_member(std::span<const std::byte>& in, Bytes& content, std::string_view what) {
  constexpr std::size_t smallest_step = 1 << 16;
  Inflater inflater(gzip_format);
  std::size_t used = content.size();
  bool ended = false;
  while (!ended) {
    content.resize(used + std::max({smallest_step, used, 2 * in.size()}));
    std::span<std::byte> out = std::span(content).subspan(used);
    ended = inflater.run(in, out, what);
    used = content.size() - out.size();
    if (!ended && !out.empty()) fail<IoError>(what, ": truncated: the compressed data ends in the middle");
  }
  content.resize(used);
}

}  // namespace

bool is_gzip(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

Bytes gunzip(std::span<const std::byte> bytes, std::string_view what) {
  if (!is_gzip(bytes)) fail<IoError>(what, ": no gzip file, it does not start with 1f 8b");
  Bytes content;
  while (!bytes.empty()) {
    if (!is_gzip(bytes)) fail<IoError>(what, ": ", bytes.size(), " bytes follow the end of the compressed data");
    append_member(bytes, content, what);
  }
  return content;
}

Bytes read_gzip_or_plain(const Path& path) {
  Bytes bytes = read_file(path);
  return is_gzip(bytes) ? gunzip(bytes, path.string()) : bytes;
}

Bytes inflate_raw(std::span<const std::byte> bytes, std::size_t size, std::string_view what) {
  if (size / max_expansion > bytes.size())
    fail<IoError>(what, ": ", bytes.size(), " compressed bytes cannot hold the ", size, " that are announced");
  Bytes content(size + 1);  // one more than announced, so that a longer stream is noticed
  std::span<std::byte> out(content);
  const bool ended = Inflater(raw_format).run(bytes, out, what);
  const std::size_t found = content.size() - out.size();
  if (found > size)
    fail<IoError>(what, ": the compressed data holds more than the ", size, " bytes that are announced");
  if (!ended) fail<IoError>(what, ": truncated: the compressed data ends after ", found, " of ", size, " bytes");
  if (found < size || !bytes.empty())
    fail<IoError>(what, ": the compressed data holds ", found, " of ", size, " announced bytes, and ", bytes.size(),
                  " bytes follow it");
  content.resize(size);
  return content;
}

std::uint32_t crc32(std::span<const std::byte> bytes) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace bitgrad::io
