// The C functions that generated headers compute with.
#pragma once

#include <string>
#include <string_view>

namespace bitgrad::c {

// Pieces of C text in which @ stands for the header's prefix.
extern const std::string_view rounding;        ///< float32 roundings of products, on integers; the others need it
extern const std::string_view real_numbers;    ///< float32 additions and divisions, on integers
extern const std::string_view layer;           ///< what a convolution or dense layer computes with
extern const std::string_view kernel_weights;  ///< of one output channel; needs the macro @_KERNEL_SIZE
extern const std::string_view window_sum;      ///< sum over a window, row by row; needs layer and kernel_weights
extern const std::string_view group_sum;       ///< likewise with groups or dilation

// For weights of 1 to 8 bits; all need layer.
std::string weight_of(int bits);
std::string convolve(int bits, std::string_view sum);  ///< sum "window" or "group"; needs weight_of and that sum
std::string convolve_to_floats(int bits, std::string_view sum);  ///< likewise
std::string dense_sum(int bits);                                 ///< needs weight_of
std::string dense(int bits);                                     ///< needs dense_sum
std::string logits(int bits);                                    ///< likewise: a dense layer whose results are float32

extern const std::string_view addition;      ///< needs real_numbers
extern const std::string_view average_pool;  ///< needs real_numbers
extern const std::string_view global_average_pool;
extern const std::string_view max_pool;
extern const std::string_view pad;
extern const std::string_view table;
extern const std::string_view concat;
extern const std::string_view argmax_of_codes;
extern const std::string_view argmax_of_floats;
extern const std::string_view self_test;  ///< #GOLDEN# and #COUNT# stand for the arrays and their number

}  // namespace bitgrad::c
