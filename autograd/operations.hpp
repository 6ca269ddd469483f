// All differentiable operations.
#pragma once

#include <bitgrad/autograd/custom_op.hpp>
#include <bitgrad/autograd/operations/activations.hpp>
#include <bitgrad/autograd/operations/arithmetic.hpp>
#include <bitgrad/autograd/operations/convolution.hpp>
#include <bitgrad/autograd/operations/fake_quantize.hpp>
#include <bitgrad/autograd/operations/losses.hpp>
#include <bitgrad/autograd/operations/matmul.hpp>
#include <bitgrad/autograd/operations/normalization.hpp>
#include <bitgrad/autograd/operations/pending.hpp>
#include <bitgrad/autograd/operations/pooling.hpp>
#include <bitgrad/autograd/operations/shape.hpp>
#include <bitgrad/autograd/operations/upsampling.hpp>
#include <bitgrad/autograd/ste.hpp>
