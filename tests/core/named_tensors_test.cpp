#include <catch2/catch.hpp>

#include <bitgrad/core/named_tensors.hpp>

using namespace bitgrad;

TEST_CASE("named tensors keep their order and are found by name") {
  NamedTensors tensors{{"b", Tensor::scalar(2)}, {"a", Tensor::scalar(1)}};
  tensors.add("c", Tensor::scalar(3));
  CHECK(tensors.size() == 3);
  CHECK(tensors.names() == std::vector<std::string>{"b", "a", "c"});
  CHECK(tensors.at("a").item() == 1);
  CHECK(tensors.find("c")->item() == 3);
  CHECK(tensors.find("d") == nullptr);
  CHECK(tensors.contains("b"));
  CHECK_FALSE(tensors.contains(""));
  tensors.at("a") = Tensor::scalar(5);
  CHECK(tensors.find("a")->item() == 5);
  double sum = 0;
  for (const auto& [name, tensor] : tensors) sum += tensor.item();
  CHECK(sum == 10);
}

TEST_CASE("named tensors refuse what they cannot hold and say what they hold") {
  NamedTensors tensors{{"kernel", Tensor::scalar(1)}, {"bias", Tensor::scalar(2)}};
  CHECK_THROWS_WITH(tensors.add("bias", Tensor::scalar(3)), "NamedTensors::add: \"bias\" is already there");
  CHECK_THROWS_WITH(tensors.add("", Tensor::scalar(3)), "NamedTensors::add: the name is empty");
  CHECK_THROWS_WITH(tensors.add("x", Tensor()), "NamedTensors::add: \"x\" is undefined");
  CHECK(tensors.size() == 2);
  CHECK_THROWS_WITH(tensors.at("Kernel"), "no tensor named \"Kernel\"; there are \"kernel\", \"bias\"");
  CHECK_THROWS_WITH(NamedTensors().at("x"), "no tensor named \"x\"; there are none");
}

TEST_CASE("named tensors are identical when names, order and bits are") {
  const NamedTensors a{{"x", Tensor::scalar(1)}, {"y", Tensor::scalar(2)}};
  CHECK(identical(a, NamedTensors{{"x", Tensor::scalar(1)}, {"y", Tensor::scalar(2)}}));
  CHECK_FALSE(identical(a, NamedTensors{{"y", Tensor::scalar(2)}, {"x", Tensor::scalar(1)}}));
  CHECK_FALSE(identical(a, NamedTensors{{"x", Tensor::scalar(1)}}));
  CHECK_FALSE(identical(a, NamedTensors{{"x", Tensor::scalar(1)}, {"y", Tensor::scalar(2, DType::int32)}}));
}
