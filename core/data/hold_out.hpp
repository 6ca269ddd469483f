// A part of the training data kept aside.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <bitgrad/core/data/dataset.hpp>

namespace bitgrad::data {

/// A data set in two disjoint parts, each in the order of the whole.
struct HoldOut {
  Dataset rest;  ///< to train on
  Dataset held;  ///< to choose by
};

/// What messages say where test images are wanted and there are none.
inline constexpr std::string_view hold_out_advice =
    "hold out a share of the training images (bitgrad train --hold-out, data::hold_out())";

/// Holds out the share of every class, rounded to whole samples, but at least one and not all: a stratified split.
/// Which ones is drawn from the seed, for each class apart from the others. Throws ValueError unless 0 < share < 1,
/// naming a class that has one sample alone, and as check_dataset() does.
HoldOut hold_out(const Dataset& dataset, double share, std::uint64_t seed = 1);

/// The samples with these indices, in this order. Throws ValueError for an index out of range.
Dataset select(const Dataset& dataset, const std::vector<Index>& indices);

}  // namespace bitgrad::data
