// Settings of one optimizer step. Plain data: the kernel sources compiled per instruction set include this file.
#pragma once

namespace bitgrad::kernels {

/// g = gradient + weight_decay * p;  v = momentum * v + g;  p -= rate * (nesterov ? g + momentum * v : v).
/// The rule of PyTorch's SGD without dampening (Sutskever et al. 2013, with the rate outside of the velocity).
struct SgdStep {
  double rate = 0.01;
  double momentum = 0.0;
  double weight_decay = 0.0;
  bool nesterov = false;
};

/// g = gradient + weight_decay * p;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
/// p = shrink * p - rate * (m / correction1) / (sqrt(v / correction2) + epsilon). Kingma and Ba 2015, algorithm 1,
/// where correction_i = 1 - beta_i^t at step t = 1, 2, ... A shrink of 1 - rate * decay, with a weight_decay of 0, is
/// decoupled weight decay: Loshchilov and Hutter 2019, algorithm 2.
struct AdamStep {
  double rate = 0.001;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.0;
  double shrink = 1.0;
  double correction1 = 1.0;
  double correction2 = 1.0;
};

/// g = gradient + weight_decay * p;  v = smoothing * v + (1 - smoothing) g^2;  b = momentum * b + g / (sqrt(v) +
/// epsilon);  p -= rate * b. Tieleman and Hinton 2012, lecture 6.5, with PyTorch's momentum.
struct RmspropStep {
  double rate = 0.01;
  double smoothing = 0.99;
  double epsilon = 1e-8;
  double momentum = 0.0;
  double weight_decay = 0.0;
};

}  // namespace bitgrad::kernels
