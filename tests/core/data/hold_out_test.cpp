#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/core/data/hold_out.hpp>
#include <bitgrad/core/error.hpp>

using namespace bitgrad;
using namespace bitgrad::data;

namespace {

/// Images of one pixel that is the sample's number; `labels` are theirs.
Dataset numbered(const std::vector<std::int32_t>& labels, int classes) {
  const auto count = static_cast<Index>(labels.size());
  Dataset dataset{Tensor({count, 1, 1, 1}, DType::uint8), Tensor::from({count}, labels), classes, {}};
  for (Index i = 0; i < count; ++i) dataset.images.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i);
  return dataset;
}

std::vector<int> numbers(const Dataset& dataset) {
  const auto pixels = dataset.images.span<std::uint8_t>();
  return {pixels.begin(), pixels.end()};
}

/// 60 samples of class 0, 40 of class 1, none of class 2, 20 of class 3, mixed.
Dataset uneven() {
  std::vector<std::int32_t> labels;
  for (int i = 0; i < 120; ++i) labels.push_back(i % 2 == 0 ? 0 : i % 3 == 0 ? 3 : 1);
  return numbered(labels, 4);
}

}  // namespace

TEST_CASE("hold_out: every class gives its share, and the parts are the whole") {
  const Dataset whole = uneven();
  REQUIRE(class_counts(whole) == std::vector<Index>{60, 40, 0, 20});
  const HoldOut parts = hold_out(whole, 0.1);
  CHECK(class_counts(parts.held) == std::vector<Index>{6, 4, 0, 2});
  CHECK(class_counts(parts.rest) == std::vector<Index>{54, 36, 0, 18});
  std::vector<int> all = numbers(parts.rest), held = numbers(parts.held);
  CHECK(std::ranges::is_sorted(all));  // each part in the order of the whole
  CHECK(std::ranges::is_sorted(held));
  all.insert(all.end(), held.begin(), held.end());
  std::ranges::sort(all);
  CHECK(all == numbers(whole));
  for (Index i = 0; i < parts.held.size(); ++i) {
    const int number = held[static_cast<std::size_t>(i)];
    CHECK(parts.held.labels.at<std::int32_t>({i}) == whole.labels.at<std::int32_t>({number}));
  }
  CHECK(held != std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
}

TEST_CASE("hold_out: the seed decides, and a class does not change the draw of another") {
  const Dataset whole = uneven();
  CHECK(numbers(hold_out(whole, 0.25, 7).held) == numbers(hold_out(whole, 0.25, 7).held));
  CHECK(numbers(hold_out(whole, 0.25, 7).held) != numbers(hold_out(whole, 0.25, 8).held));
  CHECK(numbers(hold_out(whole, 0.25).held) == numbers(hold_out(whole, 0.25, 1).held));
}

TEST_CASE("hold_out: a small share takes one of each class, a large one leaves one") {
  const Dataset whole = numbered({0, 0, 0, 1, 1}, 2);
  CHECK(class_counts(hold_out(whole, 0.001).held) == std::vector<Index>{1, 1});
  CHECK(class_counts(hold_out(whole, 0.999).rest) == std::vector<Index>{1, 1});
}

TEST_CASE("hold_out: impossible shares and classes are named") {
  const Dataset whole = uneven();
  CHECK_THROWS_WITH(hold_out(whole, 0), "hold_out: share is 0, expected more than 0 and less than 1");
  CHECK_THROWS_AS(hold_out(whole, 1), ValueError);
  CHECK_THROWS_AS(hold_out(whole, std::nan("")), ValueError);
  Dataset single = numbered({0, 0, 1}, 2);
  single.class_names = {"cat", "dog"};
  CHECK_THROWS_WITH(hold_out(single, 0.5), "hold_out: class 1 (dog) has one sample, expected none or at least 2");
  CHECK_THROWS_WITH(select(single, {0, 3}), "select: index 3 is outside the data set's 3 samples");
}
