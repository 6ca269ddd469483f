// Help for people who mistype a name.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bitgrad {

/// The candidate with the smallest edit distance (Levenshtein, a swap of neighbours counting once, upper and lower case
/// alike), the first of equals; empty when none is near: one letter in three may be wrong.
std::string nearest_name(std::string_view name, std::span<const std::string> candidates);

/// `unknown model "resnet" (did you mean "resnet8"? known: lenet5, mlp, resnet8)`, without the question where no name
/// is near.
std::string unknown_name(std::string_view what, std::string_view name, std::span<const std::string> candidates);

}  // namespace bitgrad
