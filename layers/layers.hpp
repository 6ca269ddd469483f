// Every layer, and the models made of them.
#pragma once

#include <bitgrad/layers/activations.hpp>
#include <bitgrad/layers/batch_norm.hpp>
#include <bitgrad/layers/conv1d.hpp>
#include <bitgrad/layers/conv2d.hpp>
#include <bitgrad/layers/conv2d_transpose.hpp>
#include <bitgrad/layers/dense.hpp>
#include <bitgrad/layers/depthwise_conv2d.hpp>
#include <bitgrad/layers/dropout.hpp>
#include <bitgrad/layers/layer_norm.hpp>
#include <bitgrad/layers/merge.hpp>
#include <bitgrad/layers/model.hpp>
#include <bitgrad/layers/normalize.hpp>
#include <bitgrad/layers/pooling.hpp>
#include <bitgrad/layers/reshaping.hpp>
#include <bitgrad/layers/upsampling.hpp>
