// Help for people who mistype a name.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bitgrad {

/// The candidate with the smallest edit distance (Levenshtein, a swap of neighbours counting once), the first of
/// equals; empty when there are none.
std::string nearest_name(std::string_view name, std::span<const std::string> candidates);

/// `unknown model "resnet" (did you mean "resnet8"? known: lenet5, mlp, resnet8)`
std::string unknown_name(std::string_view what, std::string_view name, std::span<const std::string> candidates);

}  // namespace bitgrad
