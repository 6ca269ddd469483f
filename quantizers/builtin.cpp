#include <bitgrad/quantizers/builtin.hpp>

#include <bitgrad/quantizers/inferable/lut.hpp>
#include <bitgrad/quantizers/inferable/pot.hpp>
#include <bitgrad/quantizers/inferable/symmetric.hpp>
#include <bitgrad/quantizers/inferable/uniform.hpp>
#include <bitgrad/quantizers/register.hpp>
#include <bitgrad/quantizers/trainable/dqa.hpp>
#include <bitgrad/quantizers/trainable/lsq.hpp>
#include <bitgrad/quantizers/trainable/lsq_plus.hpp>
#include <bitgrad/quantizers/trainable/lsq_pot.hpp>
#include <bitgrad/quantizers/trainable/mct_lsq.hpp>
#include <bitgrad/quantizers/trainable/mct_ste.hpp>

namespace bitgrad {

void register_builtin_quantizers() {
  register_quantizer<WeightsPOTInferableQuantizer>();
  register_quantizer<WeightsSymmetricInferableQuantizer>();
  register_quantizer<WeightsUniformInferableQuantizer>();
  register_quantizer<WeightsLUTPOTInferableQuantizer>();
  register_quantizer<WeightsLUTSymmetricInferableQuantizer>();
  register_quantizer<ActivationPOTInferableQuantizer>();
  register_quantizer<ActivationSymmetricInferableQuantizer>();
  register_quantizer<ActivationUniformInferableQuantizer>();
  register_quantizer<ActivationLutPOTInferableQuantizer>();

  register_quantizer<LearnedStepWeightsQuantizer>();
  register_quantizer<LearnedStepActivationQuantizer>();
  register_quantizer<LsqPotWeightsQuantizer>();
  register_quantizer<LsqPotActivationQuantizer>();
  register_quantizer<LsqPlusWeightsQuantizer>();
  register_quantizer<LsqPlusActivationQuantizer>();
  register_quantizer<AttentionWeightsQuantizer>();
  register_quantizer<STEWeightQATQuantizer>();
  register_quantizer<STEUniformWeightQATQuantizer>();
  register_quantizer<STESymmetricActivationTrainableQuantizer>();
  register_quantizer<STEUniformActivationTrainableQuantizer>();
  register_quantizer<LSQWeightQATQuantizer>();
  register_quantizer<LSQUniformWeightQATQuantizer>();
  register_quantizer<LSQSymmetricActivationTrainableQuantizer>();
  register_quantizer<LSQUniformActivationTrainableQuantizer>();
}

}  // namespace bitgrad
