// bitgrad golden on the committed vectors, on spoiled copies of them and on what are none.
#include <catch2/catch.hpp>

#include "support.hpp"

using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;
using support::Outcome;
using support::run_cli;

namespace {

const std::filesystem::path committed = BITGRAD_TEST_DIR "/golden";

}  // namespace

TEST_CASE("golden passes on the committed vectors and closes on the counts") {
  const Outcome outcome = run_cli({"golden", committed.string()});
  CHECK(outcome.code == 0);
  CHECK(outcome.err.empty());
  CHECK_THAT(outcome.out, EndsWith("365 passed, 0 failed, 14 skipped\n"));
  CHECK_THAT(outcome.out, Contains("departure 2: ") && Contains("departure 6: ") && !Contains("FAILED"));
}

TEST_CASE("golden says which element differs first, and exits with 1") {
  const support::TemporaryDirectory directory;
  const std::filesystem::path copy = directory.path() / "golden";
  std::filesystem::copy(committed, copy);
  std::fstream file(copy / "out_001.npy", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(128 + 4 * 7);        // element 7 behind the header
  file.write("\0\0\x50\x41", 4);  // 13
  file.close();
  const Outcome outcome = run_cli({"golden", copy.string()});
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.out, Contains("FAILED inf_001: output[7] is ") && Contains(", expected 13\n"));
  CHECK_THAT(outcome.out, EndsWith("364 passed, 1 failed, 14 skipped\n"));
  CHECK_THAT(outcome.err, Contains("bitgrad: error: 1 of 379 cases"));
}

TEST_CASE("golden exits with 3 when the directory cannot be read") {
  const support::TemporaryDirectory directory;
  const auto unreadable = [&](const std::string& text) {
    const Outcome outcome = run_cli({"golden", directory.path().string()});
    CHECK(outcome.code == 3);
    CHECK(outcome.out.empty());
    CHECK_THAT(outcome.err, Contains("bitgrad: error: ") && Contains(text));
  };
  unreadable("manifest.json");
  std::ofstream(directory.path() / "manifest.json") << "{\"format_version\": 1}";
  unreadable("no cases");
  std::filesystem::copy(committed / "manifest.json", directory.path() / "manifest.json",
                        std::filesystem::copy_options::overwrite_existing);
  unreadable("in_001.npy");
  CHECK(run_cli({"golden"}).code == 2);
}
