// Usage: fuzz_replay TARGET CORPUS_DIR
// Reads every file of a corpus, then each of them cut short at every place and with single bytes changed. Ends with
// status 1, and names the file, when a reader does anything but take the bytes or refuse them.
#include <algorithm>
#include <exception>
#include <filesystem>
#include <iostream>
#include <vector>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/file.hpp>
#include "fuzz/targets.hpp"

using namespace bitgrad;

namespace {

constexpr std::size_t most_places = 1000;  // of one file; larger files are changed at some places only

struct Replay {
  const fuzz::Target& target;
  std::string file = {};
  std::size_t inputs = 0, accepted = 0, failures = 0;

  void read(fuzz::Input bytes, const std::string& change) {
    ++inputs;
    try {
      accepted += fuzz::accepts(target, bytes) ? 1 : 0;
    } catch (const std::exception& error) {
      ++failures;
      std::cerr << target.name << ": " << file << change << ": " << error.what() << '\n';
    }
  }

  void read_changed(io::Bytes bytes) {
    const std::size_t step = bytes.size() / most_places + 1;
    for (std::size_t i = 0; i < bytes.size(); i += step) {
      read(fuzz::Input(bytes).first(i), message(", first ", i, " bytes"));
      const std::byte original = bytes[i];
      for (const auto change : {std::byte{0x01}, std::byte{0x80}, std::byte{0xFF}}) {
        bytes[i] = original ^ change;
        read(bytes, message(", byte ", i, " changed to ", static_cast<int>(bytes[i])));
      }
      bytes[i] = original;
    }
  }
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) fail<ValueError>("usage: fuzz_replay TARGET CORPUS_DIR");
  const std::vector<fuzz::Target> targets = fuzz::targets();
  const auto target = std::ranges::find(targets, std::string_view(argv[1]), &fuzz::Target::name);
  if (target == targets.end()) fail<ValueError>("unknown target ", argv[1]);
  std::vector<io::Path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[2])) files.push_back(entry.path());
  std::ranges::sort(files);
  Replay replay{*target};
  std::size_t taken = 0;
  for (const io::Path& file : files) {
    replay.file = file.filename().string();
    const io::Bytes bytes = io::read_file(file);
    const std::size_t before = replay.accepted;
    replay.read(bytes, "");
    taken += replay.accepted - before;
    replay.read_changed(bytes);
  }
  std::cout << target->name << ": " << files.size() << " files, " << replay.inputs << " inputs, " << replay.accepted
            << " taken, " << replay.failures << " failures\n";
  if (taken == 0)
    fail<ValueError>("no file of ", argv[2], " is taken: the corpus tests nothing behind the first check");
  return replay.failures == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << "fuzz_replay: " << error.what() << '\n';
  return 1;
}
