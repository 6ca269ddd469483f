// Convolutions of bitgrad and of oneDNN on the same shapes, in turn: forward, data gradient, kernel gradient.
// oneDNN gets channels-last tensors and may choose the layout of the kernel; both are packed outside of the timing, as
// a framework would that keeps them. bitgrad is called as its tape calls it.
#include <omp.h>
#include <dnnl.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <bitgrad/core/kernels/conv.hpp>
#include <bitgrad/core/kernels/isa.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/core/random.hpp>
#include <bitgrad/core/tensor.hpp>

namespace {

using namespace bitgrad;
using Clock = std::chrono::steady_clock;

constexpr const char* usage = R"(usage: compare_onednn [BATCH [THREADS [SECONDS]]]
Convolutions of resnet8, fashion_cnn and lenet5, bitgrad against oneDNN. Defaults: batch 32, all processors, 0.3 seconds per cell.
Unset OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE first.
)";

struct Layer {
  Index size, channels, kernel, filters, stride;
  bool padded;
};
constexpr Layer layers[] = {{32, 3, 3, 16, 1, true},  {32, 16, 3, 16, 1, true}, {32, 16, 3, 32, 2, true},
                            {32, 16, 1, 32, 2, true}, {16, 32, 3, 32, 1, true}, {16, 32, 3, 64, 2, true},
                            {16, 32, 1, 64, 2, true}, {8, 64, 3, 64, 1, true},  {28, 1, 3, 16, 1, true},
                            {28, 1, 5, 6, 1, true},   {14, 6, 5, 16, 1, false}};

Tensor random_tensor(const Shape& shape) {
  Tensor result(shape);
  Random(1).fill_uniform(result, -1, 1);
  return result;
}

/// A convolution with oneDNN: three primitives on memory of its own.
class OneDnn {
 public:
  explicit OneDnn(const Conv2DGeometry& g) : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    using dnnl::memory;
    const memory::dims x{g.batch, g.in_c, g.in_h, g.in_w}, y{g.batch, g.out_c, g.out_h, g.out_w};
    const memory::dims w{g.out_c, g.in_c, g.k_h, g.k_w}, stride{g.stride_h, g.stride_w};
    const memory::dims before{g.pad_top, g.pad_left}, after{g.pad_bottom, g.pad_right};
    const auto nhwc = [](const memory::dims& dims) {
      return memory::desc(dims, memory::data_type::f32, memory::format_tag::nhwc);
    };
    const memory::desc any(w, memory::data_type::f32, memory::format_tag::any);
    const auto algorithm = dnnl::algorithm::convolution_direct;
    const dnnl::convolution_forward::primitive_desc forward(
        {dnnl::prop_kind::forward_training, algorithm, nhwc(x), any, nhwc(y), stride, before, after}, engine_);
    const dnnl::convolution_backward_data::primitive_desc data(
        {algorithm, nhwc(x), any, nhwc(y), stride, before, after}, engine_, forward);
    const dnnl::convolution_backward_weights::primitive_desc kernel(
        {algorithm, nhwc(x), any, nhwc(y), stride, before, after}, engine_, forward);
    const memory image = filled(nhwc(x)), result = filled(nhwc(y));
    add(dnnl::convolution_forward(forward),
        {{DNNL_ARG_SRC, image}, {DNNL_ARG_WEIGHTS, filled(forward.weights_desc())}, {DNNL_ARG_DST, result}});
    add(dnnl::convolution_backward_data(data), {{DNNL_ARG_DIFF_DST, result},
                                                {DNNL_ARG_WEIGHTS, filled(data.weights_desc())},
                                                {DNNL_ARG_DIFF_SRC, filled(nhwc(x))}});
    add(dnnl::convolution_backward_weights(kernel), {{DNNL_ARG_SRC, image},
                                                     {DNNL_ARG_DIFF_DST, result},
                                                     {DNNL_ARG_DIFF_WEIGHTS, filled(kernel.diff_weights_desc())}});
  }

  /// 0: forward, 1: data gradient, 2: kernel gradient.
  void run(std::size_t pass) {
    passes_[pass].primitive.execute(stream_, passes_[pass].arguments);
    stream_.wait();
  }

 private:
  using Arguments = std::unordered_map<int, dnnl::memory>;
  struct Pass {
    dnnl::primitive primitive;
    Arguments arguments;
  };

  dnnl::memory filled(const dnnl::memory::desc& description) {
    dnnl::memory memory(description, engine_);
    auto* data = static_cast<float*>(memory.get_data_handle());
    std::fill_n(data, description.get_size() / sizeof(float), 0.5F);
    return memory;
  }
  void add(dnnl::primitive primitive, Arguments arguments) {
    passes_.push_back({std::move(primitive), std::move(arguments)});
  }

  dnnl::engine engine_;
  dnnl::stream stream_;
  std::vector<Pass> passes_;
};

class Bitgrad {
 public:
  explicit Bitgrad(const Conv2DGeometry& g)
      : g_(g),
        x_(random_tensor(input_shape(g))),
        kernel_(random_tensor(kernel_shape(g))),
        y_(random_tensor(output_shape(g))),
        dx_(Tensor::zeros(input_shape(g))),
        dkernel_(Tensor::zeros(kernel_shape(g))) {}

  void run(std::size_t pass) {
    float *y = y_.data<float>(), *x = x_.data<float>(), *kernel = kernel_.data<float>();
    if (pass == 0) kernels::conv2d_forward(g_, x, kernel, nullptr, y);
    if (pass == 1) kernels::conv2d_data_gradient(g_, y, kernel, kernels::Store::overwrite, dx_.data<float>());
    if (pass == 2) kernels::conv2d_kernel_gradient(g_, x, y, dkernel_.data<float>());
  }

 private:
  Conv2DGeometry g_;
  Tensor x_, kernel_, y_, dx_, dkernel_;
};

double milliseconds(const std::function<void()>& f) {
  const Clock::time_point begin = Clock::now();
  f();
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

struct Times {
  double bitgrad, onednn;  // ms
};

/// Calls on end for 20 ms. OpenMP's threads spin for some time after their work, on processors that are not theirs any
/// more, so there is as long a pause first.
void measure_block(const std::function<void()>& f, std::vector<double>& ms) {
  constexpr std::chrono::milliseconds block(20);
  std::this_thread::sleep_for(block);
  for (const Clock::time_point start = Clock::now(); Clock::now() - start < block;) ms.push_back(milliseconds(f));
}

/// Both in turn, so that a machine that slows down slows both.
Times measure(Bitgrad& bitgrad, OneDnn& onednn, std::size_t pass, double seconds) {
  std::vector<double> ours, theirs;
  const Clock::time_point start = Clock::now();
  do {
    measure_block([&] { bitgrad.run(pass); }, ours);
    measure_block([&] { onednn.run(pass); }, theirs);
  } while (std::chrono::duration<double>(Clock::now() - start).count() < seconds);
  return {median(std::move(ours)), median(std::move(theirs))};
}

double gflops(const Conv2DGeometry& g, double ms) {
  return 2e-6 * static_cast<double>(g.batch * g.out_h * g.out_w * g.out_c * g.k_h * g.k_w * g.in_c) / ms;
}

/// A positive number, or the end of the program.
double number(const char* text) {
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  if (*end == '\0' && value > 0) return value;
  std::fprintf(stderr, "compare_onednn: \"%s\" is no positive number\n%s", text, usage);
  std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 4 || (argc > 1 && argv[1][0] == '-')) {
    std::fputs(usage, argc > 1 && std::string(argv[1]) == "--help" ? stdout : stderr);
    return argc > 1 && std::string(argv[1]) == "--help" ? 0 : 2;
  }
  const auto batch = static_cast<Index>(argc > 1 ? number(argv[1]) : 32);
  const int threads = argc > 2 ? static_cast<int>(number(argv[2])) : num_threads();
  const double seconds = argc > 3 ? number(argv[3]) : 0.3;
  set_num_threads(threads);
  omp_set_num_threads(threads);

  const dnnl_version_t* version = dnnl_version();
  std::printf(
      "Batch %ld, %d threads, bitgrad's kernels %s, oneDNN %d.%d.%d; GFLOP/s, and bitgrad's speed as a multiple of "
      "oneDNN's.\n\n",
      static_cast<long>(batch), threads, std::string(kernels::name_of(kernels::active_isa())).c_str(), version->major,
      version->minor, version->patch);
  std::printf("| convolution                    | pass    | bitgrad | oneDNN |  ratio |\n");
  std::printf("|--------------------------------|---------|---------|--------|--------|\n");
  const char* passes[] = {"forward", "data", "kernel"};
  double ours = 0, theirs = 0;
  for (const Layer& layer : layers) {
    const Conv2DGeometry g = conv2d_geometry(
        {batch, layer.size, layer.size, layer.channels}, {layer.kernel, layer.kernel, layer.channels, layer.filters},
        {layer.stride, layer.stride}, layer.padded ? Padding::same() : Padding::valid());
    Bitgrad bitgrad(g);
    OneDnn onednn(g);
    for (std::size_t pass = 0; pass < 3; ++pass) {
      if (pass == 1 && layer.channels < 6) continue;  // nobody wants the gradient of an image
      const Times times = measure(bitgrad, onednn, pass, seconds);
      char name[64];
      std::snprintf(name, sizeof name, "%ldx%ld, %ldx%ldx%ld to %ld, stride %ld", static_cast<long>(layer.kernel),
                    static_cast<long>(layer.kernel), static_cast<long>(layer.size), static_cast<long>(layer.size),
                    static_cast<long>(layer.channels), static_cast<long>(layer.filters),
                    static_cast<long>(layer.stride));
      std::printf("| %-30s | %-7s | %7.0f | %6.0f | %6.2f |\n", name, passes[pass], gflops(g, times.bitgrad),
                  gflops(g, times.onednn), times.onednn / times.bitgrad);
      std::fflush(stdout);
      ours += times.bitgrad;
      theirs += times.onednn;
    }
  }
  std::printf("| all, %6.2f and %6.2f ms       |         |         |        | %6.2f |\n", ours, theirs, theirs / ours);
}
