// All public headers of bitgrad but one: <bitgrad/core/xt.hpp>, which needs xtensor, is for those who ask for it.
#pragma once

#include <bitgrad/core/dtype.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/core/memory.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/core/shape.hpp>
#include <bitgrad/core/tensor.hpp>
