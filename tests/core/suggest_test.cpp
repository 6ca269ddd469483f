#include <catch2/catch.hpp>

#include <bitgrad/core/suggest.hpp>

using namespace bitgrad;

TEST_CASE("the nearest name is suggested when it is near, whatever its case") {
  const std::vector<std::string> names{"lsq", "lsq-pot", "fashion-mnist", "train"};
  CHECK(nearest_name("lqs", names) == "lsq");
  CHECK(nearest_name("LSQ", names) == "lsq");
  CHECK(nearest_name("fashon-mnits", names) == "fashion-mnist");
  CHECK(nearest_name("foo", names).empty());
  CHECK(nearest_name("", names).empty());
  CHECK(nearest_name("lsq", {}).empty());
}

TEST_CASE("an unknown name comes with those that are known") {
  const std::vector<std::string> names{"mlp", "resnet8"};
  CHECK(unknown_name("model", "resnet", names) ==
        "unknown model \"resnet\" (did you mean \"resnet8\"? known: mlp, resnet8)");
  CHECK(unknown_name("model", "vgg", names) == "unknown model \"vgg\" (known: mlp, resnet8)");
  CHECK(unknown_name("model", "vgg", {}) == "unknown model \"vgg\"");
}
