#include "fuzz/targets.hpp"

#include <algorithm>

#include <bitgrad/core/data/cifar.hpp>
#include <bitgrad/core/data/idx.hpp>
#include <bitgrad/core/data/image_folder.hpp>
#include <bitgrad/core/data/npz.hpp>
#include <bitgrad/core/io/detail/bytes.hpp>
#include <bitgrad/core/io/gzip.hpp>
#include <bitgrad/core/io/image.hpp>
#include <bitgrad/core/io/npy.hpp>
#include <bitgrad/core/io/npz.hpp>
#include <bitgrad/core/io/safetensors.hpp>
#include <bitgrad/core/io/tfrecord.hpp>
#include <bitgrad/core/io/zip.hpp>
#include <bitgrad/qat/checkpoint.hpp>
#include <bitgrad/qat/export/arrays.hpp>
#include <bitgrad/qat/export/c_header.hpp>
#include <bitgrad/qat/export/onnx.hpp>
#include <bitgrad/qat/export/tflite.hpp>
#include <bitgrad/qat/golden/check_all.hpp>
#include <bitgrad/qat/inference/detail/graph_format.hpp>
#include <bitgrad/qat/inference/session.hpp>
#include <bitgrad/qat/plan.hpp>
#include <bitgrad/qat/quantization_config.hpp>
#include <bitgrad/qat/sensitivity.hpp>
#include <bitgrad/quantizers/inferable.hpp>
#include "support/npy.hpp"

namespace bitgrad::fuzz {
namespace {

std::string text_in(Input bytes) { return std::string(io::text_of(bytes)); }

template <class F>
void allow_refusal(F&& f) {
  try {
    f();
  } catch (const InternalError&) {
    throw;
  } catch (const Error&) {
  }
}

/// What a reader of data sets took is one.
void require_dataset(const data::Dataset& dataset) {
  try {
    data::check_dataset(dataset, "data set");
  } catch (const Error& error) {
    throw InternalError(error.what());
  }
}

bool same(const data::Dataset& a, const data::Dataset& b) {
  return identical(a.images, b.images) && identical(a.labels, b.labels) && a.classes == b.classes &&
         a.class_names == b.class_names;
}

void read_npy(Input bytes) {
  const Tensor tensor = io::parse_npy(bytes, "npy");
  require(identical(io::parse_npy(io::format_npy(tensor), "again"), tensor),
          "npy: read, written and read again differ");
}

void read_image(Input bytes) {
  const Tensor picture = io::decode_image(bytes, "image");
  require(picture.rank() == 3 && (picture.dim(2) == 1 || picture.dim(2) == 3), "image: neither grey nor colour");
}

void read_npy_strings(Input bytes) {
  constexpr Index most = 1 << 16;
  const std::vector<std::string> strings = io::parse_npy_strings(bytes, "npy", most);
  require(io::parse_npy_strings(support::npy_strings(strings), "again", most) == strings,
          "npy_strings: read, written and read again differ");
}

void read_npz(Input bytes) {
  const NamedTensors tensors = io::parse_npz(bytes, "npz");
  require(identical(io::parse_npz(io::format_npz(tensors), "again"), tensors),
          "npz: read, written and read again differ");
}

void read_safetensors(Input bytes) {
  const io::SafeTensors file = io::parse_safetensors(bytes, "safetensors");
  const io::SafeTensors again = io::parse_safetensors(io::format_safetensors(file.tensors, file.metadata), "again");
  require(identical(again.tensors, file.tensors) && again.metadata == file.metadata,
          "safetensors: read, written and read again differ");
}

void read_idx(Input bytes) { data::parse_idx(bytes, "idx"); }

/// The records, written again, are the file.
void read_cifar(Input bytes) {
  const data::Dataset dataset = data::parse_cifar10(bytes, "cifar");
  require_dataset(dataset);
  const std::uint8_t* pixels = dataset.images.data<std::uint8_t>();
  std::size_t at = 0;
  for (const std::int32_t label : dataset.labels.span<std::int32_t>()) {
    require(std::to_integer<std::int32_t>(bytes[at++]) == label, "cifar: another label");
    for (Index i = 0; i < 3 * 1024; ++i)
      require(std::to_integer<std::uint8_t>(bytes[at++]) == pixels[i % 1024 * 3 + i / 1024], "cifar: another pixel");
    pixels += 3 * 1024;
  }
  require(at == bytes.size(), "cifar: bytes were left out");
}

/// An npz file, or its arrays as safetensors (which have no checksum that would stop every change).
void read_npz_dataset(Input file) {
  const bool packed = io::text_of(file).starts_with("PK");
  const io::Bytes repacked = packed ? io::Bytes() : io::format_npz(io::parse_safetensors(file, "safetensors").tensors);
  const Input bytes = packed ? file : Input(repacked);
  const data::Dataset train = data::parse_npz_dataset(bytes, "npz", data::Split::train);
  require_dataset(train);
  std::vector<io::ZipEntry> again{{"x_train.npy", io::format_npy(train.images)},
                                  {"y_train.npy", io::format_npy(train.labels)}};
  if (!train.class_names.empty()) again.push_back({"class_names.npy", support::npy_strings(train.class_names)});
  require(same(data::parse_npz_dataset(io::format_zip(again), "again", data::Split::train), train),
          "npz_dataset: read, written and read again differ");
  allow_refusal([&] {
    const data::Dataset test = data::parse_npz_dataset(bytes, "npz", data::Split::test);
    require_dataset(test);
    require(test.classes == train.classes, "npz_dataset: the splits have different classes");
  });
}

/// Archives of a few thousand pixels are written anew, their pictures as PNG.
void read_picture_zip(Input bytes) {
  const data::Dataset dataset = data::parse_picture_archive(bytes, "pictures");
  require_dataset(dataset);
  require(data::picture_archive_classes(bytes, "pictures") == dataset.class_names, "picture_zip: other classes");
  constexpr Index most = 1 << 16, first_number = 1000000;
  if (dataset.images.size() > most) return;
  const Shape picture = dataset.images.shape().without_front();
  std::vector<io::ZipEntry> entries;
  for (Index i = 0; i < dataset.size(); ++i) {
    const auto label = static_cast<std::size_t>(dataset.labels.data<std::int32_t>()[i]);
    entries.push_back({message(dataset.class_names[label], '/', first_number + i, ".png"),
                       io::encode_png(dataset.images.rows(i, i + 1).reshape(picture))});
  }
  require(same(data::parse_picture_archive(io::format_zip(entries), "again"), dataset),
          "picture_zip: read, written and read again differ");
}

void read_gzip(Input bytes) { io::gunzip(bytes, "gzip"); }

void read_bits(Input bytes) {
  const std::string text = bits_json(parse_bits(text_in(bytes), "bits"));
  require(bits_json(parse_bits(text, "again")) == text, "bits: read, written and read again differ");
}

void read_plan(Input bytes) {
  const std::string text = QuantizationPlan::from_json(text_in(bytes)).to_json();
  require(QuantizationPlan::from_json(text).to_json() == text, "plan: read, written and read again differ");
}

void read_quantizer(Input bytes) {
  const InferablePtr quantizer = inferable_from_json(text_in(bytes));
  require(inferable_from_json(quantizer->to_json())->to_json() == quantizer->to_json(),
          "quantizer: read, written and read again differ");
}

void read_sensitivity(Input bytes) {
  const std::string text = Sensitivity::from_json(text_in(bytes), "sensitivity").to_json();
  require(Sensitivity::from_json(text, "again").to_json() == text, "sensitivity: read, written and read again differ");
}

/// What is whole is kept: the records, written again, are the file's beginning.
void read_records(Input bytes) {
  const io::TfRecords records = io::read_tf_records(bytes);
  io::Bytes again;
  for (const Input record : records.data) {
    const io::Bytes one = io::tf_record(record);
    again.insert(again.end(), one.begin(), one.end());
  }
  require(std::ranges::equal(again, bytes.first(records.ends.empty() ? 0 : records.ends.back())),
          "tfrecord: records, written again, differ");
}

/// Models of a few thousand numbers are restored as well: a file that was taken may still not go together.
void read_checkpoints(Input bytes) {
  const Checkpoint checkpoint = parse_checkpoint(bytes, "checkpoint");
  const io::Bytes again = format_checkpoint(checkpoint);
  require(format_checkpoint(parse_checkpoint(again, "again")) == again,
          "checkpoint: read, written and read again differ");
  constexpr Index most = 256;
  if (checkpoint.input_shape.size() <= most && checkpoint.classes <= most)
    allow_refusal([&] { restore_model(checkpoint); });
}

/// The smaller part of what a graph may ask for.
bool is_small(const InferenceGraph& graph) {
  constexpr Index most = 1 << 14;
  for (const GraphTensor& tensor : graph.tensors)
    if (tensor.shape.size() > most) return false;
  for (const auto& [name, array] : inference::graph_arrays(graph))
    if (array.size() > most) return false;
  return true;
}

/// graph.json, a zero byte, and the arrays as safetensors (which have no checksum that would stop every change). What
/// is taken is run and exported: nothing that passes may make an engine read outside of an array.
void read_graph(Input bytes) {
  const std::string_view all = io::text_of(bytes);
  const std::size_t end = std::min(all.find('\0'), all.size());
  const Input arrays = bytes.subspan(std::min(end + 1, bytes.size()));
  InferenceGraph graph = inference::parse_graph(
      std::string(all.substr(0, end)), "graph",
      [&](const inference::ArrayFile&) { return io::parse_safetensors(arrays, "arrays").tensors; });
  graph.validate();
  const std::string text = inference::format_graph(graph, {});
  require(inference::format_graph(
              inference::parse_graph(text, "again",
                                     [&](const inference::ArrayFile&) { return inference::graph_arrays(graph); }),
              {}) == text,
          "graph: read, written and read again differ");
  if (!is_small(graph)) return;
  const GraphTensor& input = graph.tensors[static_cast<std::size_t>(graph.input)];
  for (const InferenceEngine engine : {InferenceEngine::integer, InferenceEngine::float32})
    allow_refusal([&] { InferenceSession(graph, engine).run_all(Tensor::full(input.shape.prepended(2), 0.5)); });
  allow_refusal([&] {
    const Shape shape = graph.tensors[static_cast<std::size_t>(graph.integer_input())].shape;
    graph.run_integer_all(Tensor::zeros(shape.prepended(1), DType::int32));
  });
  allow_refusal([&] { format_c_header(graph); });
  allow_refusal([&] { format_onnx(graph); });
  allow_refusal([&] { format_tflite(graph); });
  allow_refusal([&] { format_npz(export_arrays(graph)); });
}

/// manifest.json, a zero byte, and the arrays that it names as safetensors. What is taken is compared, which may fail,
/// but not by a mistake of the comparison.
void read_golden(Input bytes) {
  const std::string_view all = io::text_of(bytes);
  const std::size_t end = std::min(all.find('\0'), all.size());
  const NamedTensors arrays = io::parse_safetensors(bytes.subspan(std::min(end + 1, bytes.size())), "arrays").tensors;
  const golden::Manifest manifest = golden::parse_manifest(all.substr(0, end), "", [&](const io::Path& path) {
    const Tensor* found = arrays.find(path.string());
    if (found == nullptr) fail<IoError>(path.string(), ": no such array");
    return *found;
  });
  constexpr Index most = 1 << 14;
  for (const golden::IllegalCase& c : manifest.illegal)
    if (c.input_shape && c.input_shape->size() > most) return;
  for (const golden::Outcome& outcome : golden::check_golden(manifest).outcomes)
    if (outcome.detail.find("a bug in bitgrad") != std::string::npos) throw InternalError(outcome.detail);
}

}  // namespace

std::vector<Target> targets() {
  std::vector<Target> all{{"npy", read_npy},
                          {"npy_strings", read_npy_strings},
                          {"npz", read_npz},
                          {"safetensors", read_safetensors},
                          {"idx", read_idx},
                          {"cifar", read_cifar},
                          {"npz_dataset", read_npz_dataset},
                          {"picture_zip", read_picture_zip},
                          {"gzip", read_gzip},
                          {"image", read_image},
                          {"tfrecord", read_records},
                          {"bits", read_bits},
                          {"plan", read_plan},
                          {"sensitivity", read_sensitivity},
                          {"quantizer", read_quantizer},
                          {"checkpoint", read_checkpoints},
                          {"graph", read_graph},
                          {"golden", read_golden}};
#ifdef BITGRAD_FUZZ_CLI
  const std::vector<Target> cli = cli_targets();
  all.insert(all.end(), cli.begin(), cli.end());
#endif
  return all;
}

void require(bool holds, const char* what) {
  if (!holds) fail<InternalError>(what);
}

bool accepts(const Target& target, Input bytes) {
  try {
    target.read(bytes);
    return true;
  } catch (const InternalError&) {
    throw;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace bitgrad::fuzz
