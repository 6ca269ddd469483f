// All public headers of bitgrad but one: <bitgrad/core/xt.hpp>, which needs xtensor, is for those who ask for it.
#pragma once

#include <bitgrad/core/dtype.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/core/gemm.hpp>
#include <bitgrad/core/io/bytes.hpp>
#include <bitgrad/core/io/file.hpp>
#include <bitgrad/core/io/safetensors.hpp>
#include <bitgrad/core/memory.hpp>
#include <bitgrad/core/named_tensors.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/core/random.hpp>
#include <bitgrad/core/shape.hpp>
#include <bitgrad/core/suggest.hpp>
#include <bitgrad/core/tensor.hpp>

#include <bitgrad/autograd/accumulate.hpp>
#include <bitgrad/autograd/custom_op.hpp>
#include <bitgrad/autograd/gradcheck.hpp>
#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/autograd/operations/activations.hpp>
#include <bitgrad/autograd/operations/arithmetic.hpp>
#include <bitgrad/autograd/operations/convolution.hpp>
#include <bitgrad/autograd/operations/losses.hpp>
#include <bitgrad/autograd/operations/matmul.hpp>
#include <bitgrad/autograd/operations/normalization.hpp>
#include <bitgrad/autograd/operations/pooling.hpp>
#include <bitgrad/autograd/operations/shape.hpp>
#include <bitgrad/autograd/parameter.hpp>
#include <bitgrad/autograd/replay.hpp>
#include <bitgrad/autograd/ste.hpp>
#include <bitgrad/autograd/tape.hpp>
#include <bitgrad/autograd/variable.hpp>

#include <bitgrad/layers/activations.hpp>
#include <bitgrad/layers/batch_norm.hpp>
#include <bitgrad/layers/conv2d.hpp>
#include <bitgrad/layers/dense.hpp>
#include <bitgrad/layers/dropout.hpp>
#include <bitgrad/layers/extent.hpp>
#include <bitgrad/layers/graph_builder.hpp>
#include <bitgrad/layers/initializers.hpp>
#include <bitgrad/layers/layer.hpp>
#include <bitgrad/layers/layers.hpp>
#include <bitgrad/layers/merge.hpp>
#include <bitgrad/layers/metrics.hpp>
#include <bitgrad/layers/model.hpp>
#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/layers/normalize.hpp>
#include <bitgrad/layers/pooling.hpp>
#include <bitgrad/layers/reshaping.hpp>
#include <bitgrad/layers/weights.hpp>

#include <bitgrad/quantizers/config.hpp>
#include <bitgrad/quantizers/grid.hpp>
#include <bitgrad/quantizers/inferable.hpp>
#include <bitgrad/quantizers/mark.hpp>
#include <bitgrad/quantizers/registry.hpp>
#include <bitgrad/quantizers/trainable.hpp>

#include <bitgrad/qat/batch_norm_fold.hpp>
#include <bitgrad/qat/inference/builder.hpp>
#include <bitgrad/qat/inference/graph.hpp>
#include <bitgrad/qat/inference/verify.hpp>
