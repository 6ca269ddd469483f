// The structure is that of MLPerf Tiny's reference (github.com/mlcommons/tiny, anomaly_detection).
#include <bitgrad/layers/layers.hpp>
#include <bitgrad/layers/models/models.hpp>

namespace bitgrad::models {

Model autoencoder(const Shape& input_shape, Index width) {
  if (input_shape.rank() != 1)
    fail<ShapeError>("model autoencoder: samples have shape ", input_shape, ", expected (values)");
  if (width < 1) fail<ValueError>("model autoencoder: width is ", width, ", expected at least 1");
  Sequential model;
  for (const Index units : {128, 128, 128, 128, 8, 128, 128, 128, 128}) {
    model.append(Dense({.units = units * width, .initializer = initializers::he_normal()}));
    model.append(BatchNorm());
    model.append(ReLU());
  }
  model.append(Dense({.units = input_shape[0]}));
  model.output_shape(input_shape);
  return model;
}

}  // namespace bitgrad::models
