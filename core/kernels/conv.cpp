#include <bitgrad/core/kernels/conv.hpp>

#include <bitgrad/core/kernels/conv_pass.hpp>

namespace bitgrad::kernels {

void conv2d_forward(const Conv2DGeometry& geometry, const float* x, const float* kernel, const float* bias, float* y) {
  direct::PackedPass<float>(direct::forward_pass<float>(direct::flattened(geometry), kernel, bias))
      .run(geometry.batch, x, y);
}

void conv2d_data_gradient(const Conv2DGeometry& geometry, const float* dy, const float* kernel, Store store,
                          float* dx) {
  using namespace direct;
  const Conv2DGeometry g = flattened(geometry);
  PackedPass<float>(Pass<float>{.groups = is_depthwise(g) ? 1 : g.groups,
                                .source = output_of(g),
                                .target = input_of(g),
                                .heights = gradient_phases(height_of(g)),
                                .widths = gradient_phases(width_of(g)),
                                .kernel = kernel,
                                .layout = {.k_w = g.k_w,
                                           .tap = g.in_c / g.groups * g.out_c,
                                           .source = 1,
                                           .target = is_depthwise(g) ? 1 : g.out_c},
                                .group_kernel = g.out_c / g.groups,
                                .start = nullptr,
                                .store = store,
                                .depthwise = is_depthwise(g)})
      .run(g.batch, dy, dx);
}

}  // namespace bitgrad::kernels
