#include <bitgrad/core/io/zip.hpp>

#include <algorithm>
#include <optional>
#include <set>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/detail/bytes.hpp>
#include <bitgrad/core/io/gzip.hpp>

namespace bitgrad::io {
namespace {

constexpr std::uint32_t local_signature = 0x04034b50;
constexpr std::uint32_t central_signature = 0x02014b50;
constexpr std::uint32_t end_signature = 0x06054b50;
constexpr std::size_t local_size = 30, central_size = 46, end_size = 22;

constexpr std::uint16_t version = 20;                      // 2.0: what deflate needs
constexpr std::uint16_t made_by = 3 << 8 | version;        // Unix, so that the permissions below count
constexpr std::uint32_t permissions = 0100644u << 16;      // a regular file, rw-r--r--
constexpr std::uint16_t first_date = 0 << 9 | 1 << 5 | 1;  // 1980-01-01, the zero of MS-DOS
constexpr std::uint16_t stored = 0, deflated = 8;
constexpr std::uint16_t flag_descriptor = 1 << 3, flag_utf8 = 1 << 11;
constexpr std::uint16_t known_flags =
    1 << 1 | 1 << 2 | flag_descriptor | flag_utf8;  // bits 1 and 2: effort of the compressor
constexpr std::uint16_t zip64_field = 1;
constexpr std::uint32_t in_zip64 = 0xffffffff;
constexpr std::size_t most_entries = 0xfffe;

// ---- writing

/// The fields that local and central header share, from "version needed" to the length of the name.
void put_common(Bytes& out, const ZipEntry& entry, std::uint32_t checksum) {
  const bool ascii =
      std::all_of(entry.name.begin(), entry.name.end(), [](char c) { return static_cast<unsigned char>(c) < 128; });
  put<std::uint16_t>(out, version);
  put<std::uint16_t>(out, ascii ? 0 : flag_utf8);
  put<std::uint16_t>(out, stored);
  put<std::uint16_t>(out, 0);  // time
  put<std::uint16_t>(out, first_date);
  put<std::uint32_t>(out, checksum);
  put<std::uint32_t>(out, static_cast<std::uint32_t>(entry.content.size()));
  put<std::uint32_t>(out, static_cast<std::uint32_t>(entry.content.size()));
  put<std::uint16_t>(out, static_cast<std::uint16_t>(entry.name.size()));
  put<std::uint16_t>(out, 0);  // extra field
}

void check_writable(const std::vector<ZipEntry>& entries) {
  if (entries.size() > most_entries)
    fail<NotImplementedError>("zip: ", entries.size(), " entries, at most ", most_entries, " fit without zip64");
  std::set<std::string_view> names;
  std::size_t total = end_size;
  for (const auto& [name, content] : entries) {
    if (name.empty() || name.size() > 0xffff)
      fail<ValueError>("zip: the name of an entry has ", name.size(), " bytes, expected 1 to 65535");
    if (!names.insert(name).second) fail<ValueError>("zip: two entries are named \"", name, '"');
    total += local_size + central_size + 2 * name.size() + content.size();
    if (content.size() >= in_zip64 || total >= in_zip64)
      fail<NotImplementedError>("zip: with \"", name, "\" the archive reaches ", total,
                                " bytes, less than 4 GiB fit without zip64");
  }
}

// ---- reading

/// What the central directory says about an entry.
struct Record {
  std::string name;
  std::uint16_t flags, method;
  std::uint32_t checksum;
  std::size_t packed, size;  // bytes in the archive and unpacked
  std::size_t local;         // offset of the local header
};

class ZipReader {
 public:
  ZipReader(std::span<const std::byte> bytes, std::string_view what) : bytes_(bytes), what_(what) {}

  std::vector<ZipEntry> read() {
    find_directory();
    const std::vector<Record> records = read_directory();
    std::vector<std::span<const std::byte>> packed;
    for (const Record& record : records) packed.push_back(packed_data(record));
    check_overlap(records, packed);
    std::vector<ZipEntry> entries;
    for (std::size_t i = 0; i < records.size(); ++i)
      entries.push_back({records[i].name, unpack(records[i], packed[i])});
    return entries;
  }

  std::vector<std::string> names() {
    find_directory();
    std::vector<std::string> result;
    for (Record& record : read_directory()) result.push_back(std::move(record.name));
    return result;
  }

 private:
  template <class T>
  std::size_t field(std::size_t offset) const {
    return get<T>(bytes_, offset);
  }

  /// The end record stands last, but for a comment whose length it tells.
  std::size_t find_end() const {
    for (std::size_t back = end_size; back <= std::min(bytes_.size(), end_size + 0xffff); ++back) {
      const std::size_t at = bytes_.size() - back;
      if (field<std::uint32_t>(at) == end_signature && field<std::uint16_t>(at + 20) == back - end_size) return at;
    }
    fail<IoError>(what_, ": not a zip archive, or truncated: its end record is missing");
  }

  void find_directory() {
    const std::size_t end = find_end();
    count_ = field<std::uint16_t>(end + 10);
    const std::size_t size = field<std::uint32_t>(end + 12);
    directory_ = field<std::uint32_t>(end + 16);
    directory_end_ = end;
    if (count_ == 0xffff || size == in_zip64 || directory_ == in_zip64)
      fail<IoError>(what_, ": a zip64 archive, expected one below 4 GiB with fewer than 65535 entries");
    if (field<std::uint16_t>(end + 4) != 0 || field<std::uint16_t>(end + 6) != 0 ||
        field<std::uint16_t>(end + 8) != count_)
      fail<IoError>(what_, ": a zip archive that is split over several files");
    if (directory_ > end || size != end - directory_)
      fail<IoError>(what_, ": the central directory is said to be ", size, " bytes at ", directory_,
                    ", expected it to end at ", end);
  }

  std::vector<Record> read_directory() const {
    std::vector<Record> records;
    std::set<std::string> names;
    std::size_t at = directory_;
    for (std::size_t i = 0; i < count_; ++i) {
      if (directory_end_ - at < central_size || field<std::uint32_t>(at) != central_signature)
        fail<IoError>(what_, ": entry ", i, " of the central directory is missing or damaged");
      const std::size_t name_size = field<std::uint16_t>(at + 28);
      const std::size_t whole =
          central_size + name_size + field<std::uint16_t>(at + 30) + field<std::uint16_t>(at + 32);
      if (directory_end_ - at < whole)
        fail<IoError>(what_, ": entry ", i, " of the central directory is longer than the directory");
      Record record{std::string(text_of(bytes_.subspan(at + central_size, name_size))),
                    get<std::uint16_t>(bytes_, at + 8),
                    get<std::uint16_t>(bytes_, at + 10),
                    get<std::uint32_t>(bytes_, at + 16),
                    field<std::uint32_t>(at + 20),
                    field<std::uint32_t>(at + 24),
                    field<std::uint32_t>(at + 42)};
      check(record);
      if (!names.insert(record.name).second) fail<IoError>(what_, ": two entries are named \"", record.name, '"');
      records.push_back(std::move(record));
      at += whole;
    }
    if (at != directory_end_) fail<IoError>(what_, ": the central directory has more than its ", count_, " entries");
    return records;
  }

  void check(const Record& record) const {
    if ((record.flags & ~known_flags) != 0)
      refuse(record, message("flags are ", record.flags, ": encrypted, or another feature that is not supported"));
    if (record.method != stored && record.method != deflated)
      refuse(record, message("compression method is ", record.method, ", expected 0 (stored) or 8 (deflated)"));
    if (record.packed == in_zip64 || record.size == in_zip64 || record.local == in_zip64)
      refuse(record, "it is a zip64 entry, expected one below 4 GiB");
    if (record.method == stored && record.packed != record.size)
      refuse(record, message("stored as ", record.packed, " bytes, expected its size ", record.size));
  }

  /// The bytes of an entry, after a look at its local header, which must say the same as the central directory.
  std::span<const std::byte> packed_data(const Record& record) const {
    if (record.local > directory_ || directory_ - record.local < local_size ||
        field<std::uint32_t>(record.local) != local_signature)
      refuse(record, "its local header is missing or damaged");
    const std::size_t name_at = record.local + local_size;
    const std::size_t name_size = field<std::uint16_t>(record.local + 26),
                      extra_size = field<std::uint16_t>(record.local + 28);
    if (directory_ - name_at < name_size + extra_size || directory_ - name_at - name_size - extra_size < record.packed)
      refuse(record, "it reaches into the central directory");
    if (text_of(bytes_.subspan(name_at, name_size)) != record.name) refuse(record, "its local header has another name");
    check_local_fields(record, bytes_.subspan(name_at + name_size, extra_size));
    return bytes_.subspan(name_at + name_size + extra_size, record.packed);
  }

  void check_local_fields(const Record& record, std::span<const std::byte> extra) const {
    std::size_t checksum = field<std::uint32_t>(record.local + 14);
    std::size_t packed = field<std::uint32_t>(record.local + 18), size = field<std::uint32_t>(record.local + 22);
    // NumPy writes every size as zip64 into the local header, however small it is.
    if (const auto wide = zip64_sizes(extra); wide && size == in_zip64 && packed == in_zip64) {
      size = wide->first;
      packed = wide->second;
    }
    const bool described_later = (record.flags & flag_descriptor) != 0 && checksum == 0 && packed == 0 && size == 0;
    const bool same_sizes = checksum == record.checksum && packed == record.packed && size == record.size;
    if (field<std::uint16_t>(record.local + 6) != record.flags ||
        field<std::uint16_t>(record.local + 8) != record.method || !(same_sizes || described_later))
      refuse(record, "its local header and the central directory differ");
  }

  /// Unpacked and packed size of a local header's zip64 extra field, where there is one.
  static std::optional<std::pair<std::uint64_t, std::uint64_t>> zip64_sizes(std::span<const std::byte> extra) {
    while (extra.size() >= 4) {
      const std::size_t size = get<std::uint16_t>(extra, 2);
      if (size > extra.size() - 4) break;
      if (get<std::uint16_t>(extra, 0) == zip64_field && size >= 16)
        return std::pair{get<std::uint64_t>(extra, 4), get<std::uint64_t>(extra, 12)};
      extra = extra.subspan(4 + size);
    }
    return std::nullopt;
  }

  void check_overlap(const std::vector<Record>& records, const std::vector<std::span<const std::byte>>& packed) const {
    std::vector<std::pair<std::size_t, std::size_t>> ranges;
    for (std::size_t i = 0; i < records.size(); ++i)
      ranges.emplace_back(records[i].local,
                          static_cast<std::size_t>(packed[i].data() - bytes_.data()) + packed[i].size());
    std::sort(ranges.begin(), ranges.end());
    for (std::size_t i = 1; i < ranges.size(); ++i)
      if (ranges[i].first < ranges[i - 1].second) fail<IoError>(what_, ": two entries of the zip archive overlap");
  }

  Bytes unpack(const Record& record, std::span<const std::byte> packed) const {
    Bytes content = record.method == stored
                        ? Bytes(packed.begin(), packed.end())
                        : inflate_raw(packed, record.size, message(what_, ": entry \"", record.name, '"'));
    if (crc32(content) != record.checksum) refuse(record, "its checksum is wrong: the content is damaged");
    return content;
  }

  [[noreturn]] void refuse(const Record& record, std::string_view reason) const {
    fail<IoError>(what_, ": entry \"", record.name, "\": ", reason);
  }

  std::span<const std::byte> bytes_;
  std::string_view what_;
  std::size_t count_ = 0, directory_ = 0, directory_end_ = 0;
};

}  // namespace

Bytes format_zip(const std::vector<ZipEntry>& entries) {
  check_writable(entries);
  Bytes out, directory;
  for (const ZipEntry& entry : entries) {
    const std::uint32_t checksum = crc32(entry.content);
    put<std::uint32_t>(directory, central_signature);
    put<std::uint16_t>(directory, made_by);
    put_common(directory, entry, checksum);
    put<std::uint16_t>(directory, 0);  // comment
    put<std::uint16_t>(directory, 0);  // disk
    put<std::uint16_t>(directory, 0);  // internal attributes
    put<std::uint32_t>(directory, permissions);
    put<std::uint32_t>(directory, static_cast<std::uint32_t>(out.size()));
    put_text(directory, entry.name);

    put<std::uint32_t>(out, local_signature);
    put_common(out, entry, checksum);
    put_text(out, entry.name);
    out.insert(out.end(), entry.content.begin(), entry.content.end());
  }
  const std::size_t directory_at = out.size();
  out.insert(out.end(), directory.begin(), directory.end());
  put<std::uint32_t>(out, end_signature);
  put<std::uint32_t>(out, 0);  // number of this disk and of the directory's
  put<std::uint16_t>(out, static_cast<std::uint16_t>(entries.size()));
  put<std::uint16_t>(out, static_cast<std::uint16_t>(entries.size()));
  put<std::uint32_t>(out, static_cast<std::uint32_t>(directory.size()));
  put<std::uint32_t>(out, static_cast<std::uint32_t>(directory_at));
  put<std::uint16_t>(out, 0);  // comment
  return out;
}

std::vector<ZipEntry> parse_zip(std::span<const std::byte> bytes, std::string_view what) {
  return ZipReader(bytes, what).read();
}

std::vector<std::string> list_zip(std::span<const std::byte> bytes, std::string_view what) {
  return ZipReader(bytes, what).names();
}

}  // namespace bitgrad::io
