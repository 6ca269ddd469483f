// bitgrad lr-range
#include <catch2/catch.hpp>

#include <algorithm>

#include "support.hpp"

using Catch::Matchers::Contains;
using support::Outcome;
using support::Workshop;

TEST_CASE("lr-range prints a table and a rate, and writes a CSV and a page") {
  const Workshop shop(128);
  const Outcome outcome =
      support::run_cli({"lr-range", "--data", shop.path("data"), "--model", "mlp", "--batch", "32", "--steps", "80",
                        "--highest", "10", "--csv", shop.path("range.csv"), "--html", shop.path("range.html")});
  CHECK(outcome.err == "");
  REQUIRE(outcome.code == 0);
  CHECK_THAT(outcome.out,
             Contains("step") && Contains("smoothed") && Contains("suggested --lr 0.") && Contains("exploded at"));
  CHECK(std::ranges::count(outcome.out, '\n') < 32);
  const std::string csv = shop.text("range.csv");
  CHECK(csv.starts_with("step,rate,loss,smoothed\n1,1e-06,"));
  CHECK(std::ranges::count(csv, '\n') > 40);
  const std::string page = shop.text("range.html");
  CHECK_THAT(page, Contains("Loss at rising rates") && Contains(">1e-6<") && Contains(">1e-3<") &&
                       Contains("learning rate") && Contains("suggested --lr 0."));
  for (const char* part : {"<script", "http:", "nan", "inf\""}) CHECK(page.find(part) == std::string::npos);
  // Nothing is learned at such rates.
  const Outcome low = support::run_cli({"lr-range", "--data", shop.path("data"), "--model", "mlp", "--batch", "32",
                                        "--steps", "20", "--lowest", "1e-12", "--highest", "1e-11"});
  CHECK(low.code == 0);
  CHECK_THAT(low.out, Contains("no suggestion: the loss did not fall: give a higher --highest"));
}

TEST_CASE("lr-range names what is wrong") {
  const Workshop shop(32);
  const auto refused = [&](const std::vector<std::string>& options) {
    std::vector<std::string> arguments{"lr-range", "--data", shop.path("data")};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const Outcome outcome = support::run_cli(arguments);
    CHECK(outcome.code == 2);
    CHECK(outcome.out == "");
    return outcome.err;
  };
  CHECK_THAT(refused({"--model", "mlp", "--seed", "-1"}), Contains("expected a whole number"));
  CHECK_THAT(refused({}), Contains("--model"));
  CHECK_THAT(refused({"--model", "mpl"}), Contains("did you mean \"mlp\""));
  CHECK_THAT(refused({"--model", "mlp", "--lowest", "0"}), Contains("--lowest 0: expected a positive rate"));
  CHECK_THAT(refused({"--model", "mlp", "--lowest", "1", "--highest", "0.5"}),
             Contains("--highest 0.5: expected a rate above --lowest, 1"));
  CHECK_THAT(refused({"--model", "mlp", "--steps", "3"}), Contains("--steps 3: expected at least 20"));
  CHECK_THAT(refused({"--model", "mlp", "--batch", "0"}), Contains("--batch 0: expected at least 1"));
  CHECK_THAT(refused({"--model", "mlp", "--optimizer", "adm"}), Contains("did you mean \"adam\""));
  CHECK_THAT(refused({"--model", "mlp", "--augment", "flop"}), Contains("--augment flop"));
}
