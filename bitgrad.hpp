// All public headers of bitgrad but one: <bitgrad/core/xt.hpp>, which needs xtensor, is for those who ask for it.
#pragma once

#include <bitgrad/core/dtype.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/core/gemm.hpp>
#include <bitgrad/core/memory.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/core/shape.hpp>
#include <bitgrad/core/suggest.hpp>
#include <bitgrad/core/tensor.hpp>

#include <bitgrad/autograd/accumulate.hpp>
#include <bitgrad/autograd/custom_op.hpp>
#include <bitgrad/autograd/parameter.hpp>
#include <bitgrad/autograd/replay.hpp>
#include <bitgrad/autograd/tape.hpp>
#include <bitgrad/autograd/variable.hpp>

#include <bitgrad/layers/graph_builder.hpp>
#include <bitgrad/layers/layer.hpp>
#include <bitgrad/layers/model.hpp>
#include <bitgrad/layers/weights.hpp>
