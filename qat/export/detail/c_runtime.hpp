// The C functions that generated headers compute with.
#pragma once

#include <string>
#include <string_view>

namespace bitgrad::c {

// Pieces of C text in which @ stands for the header's prefix.
extern const std::string_view rounding;      ///< float32 roundings of products, on integers; the others need it
extern const std::string_view real_numbers;  ///< float32 additions and divisions, on integers
extern const std::string_view floor_shift;
extern const std::string_view fixed_point_twice;  ///< multiply_twice; needs floor_shift
extern const std::string_view fixed_point_once;   ///< multiply_once; needs floor_shift
std::string layer(bool fixed_point);              ///< what a convolution or dense layer computes with
extern const std::string_view kernel_weights;     ///< of one output channel; needs the macro @_KERNEL_SIZE
extern const std::string_view window_sum;         ///< sum over a window, row by row; needs layer and kernel_weights
extern const std::string_view group_sum;          ///< likewise with groups or dilation

/// The names of fixed point's products.
inline constexpr std::string_view multiply_twice = "@_multiply_twice", multiply_once = "@_multiply_once";

/// What a layer makes of a sum: codes by a float32 multiplier, or by one in fixed point by one of those products, or
/// float32.
enum class Results { codes, rounded_twice, rounded_once, floats };

// For weights of 1 to 8 bits; all need layer.
std::string weight_of(int bits);
std::string convolve(int bits, std::string_view sum, Results results);  ///< sum "window" or "group"; needs weight_of
                                                                        ///< and that sum
std::string dense_sum(int bits);                                        ///< needs weight_of
std::string dense(int bits, Results results);                           ///< needs dense_sum

extern const std::string_view addition;                  ///< needs real_numbers
extern const std::string_view addition_xnnpack;          ///< needs rounding
std::string addition_tflite(std::string_view multiply);  ///< needs the function of that name, multiply_twice or _once
extern const std::string_view average_pool;              ///< needs real_numbers
/// In modes other than ort, with one multiplier for every number of pixels; `multiply` as in addition_tflite(), or
/// empty for float32.
std::string average_pool_by_count(std::string_view multiply);
extern const std::string_view global_sum;                                ///< of one channel
extern const std::string_view global_average_pool;                       ///< needs global_sum
extern const std::string_view global_average_pool_xnnpack;               ///< needs global_sum and real_numbers
std::string global_average_pool_fixed_point(std::string_view multiply);  ///< likewise, and global_sum
extern const std::string_view max_pool;
extern const std::string_view pad;
extern const std::string_view upsample;
extern const std::string_view insert_zeros;
extern const std::string_view table;
extern const std::string_view concat;
extern const std::string_view argmax_of_codes;
extern const std::string_view argmax_of_floats;
extern const std::string_view self_test;  ///< #GOLDEN# and #COUNT# stand for the arrays and their number

}  // namespace bitgrad::c
