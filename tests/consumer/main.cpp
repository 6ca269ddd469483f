// What a user's file looks like.
#include <bitgrad/bitgrad.hpp>

#include <iostream>

#if defined(XTENSOR_VERSION_MAJOR) || defined(CBLAS_H) || defined(NLOHMANN_JSON_VERSION_MAJOR) || defined(ZLIB_H) || \
    defined(PNG_H) || defined(JPEGLIB_H)
#error "a dependency of bitgrad has leaked into its user's file"
#endif

int main() {
  const bitgrad::Tensor x = bitgrad::Tensor::from({2, 2}, {1, 2, 3, 4});
  std::cout << x << '\n';
  return x.at<float>({1, -1}) == 4.0F ? 0 : 1;
}
