#include <bitgrad/quantizers/registry.hpp>

#include <algorithm>
#include <deque>
#include <mutex>
#include <set>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/suggest.hpp>
#include <bitgrad/quantizers/builtin.hpp>
#include <bitgrad/quantizers/detail/json_object.hpp>

namespace bitgrad {
namespace {

struct Registry {
  std::recursive_mutex mutex;
  bool has_builtins = false;
  std::deque<TrainableEntry> trainable;  // references into it stay valid
  std::deque<InferableEntry> inferable;
};

/// The registry with the built-ins in it. Recursive: registering the built-ins comes back here.
Registry& registry() {
  static Registry instance;
  const std::lock_guard lock(instance.mutex);
  if (!instance.has_builtins) {
    instance.has_builtins = true;
    register_builtin_quantizers();
  }
  return instance;
}

template <class Entry>
void add(std::deque<Entry>& entries, Entry entry) {
  for (const Entry& other : entries)
    if (other.class_name == entry.class_name)
      fail<ValueError>("register_quantizer: ", entry.class_name, " (", describe(entry.mark),
                       ") is already registered, as ", other.class_name, " (", describe(other.mark), ")");
  entries.push_back(std::move(entry));
}

template <class Entry>
std::string names(const std::vector<const Entry*>& entries) {
  std::string text;
  for (const Entry* entry : entries)
    text += (text.empty() ? "" : ", ") + entry->class_name + " (" + describe(entry->mark) + ")";
  return text;
}

template <class Entry>
std::vector<const Entry*> matching(const std::deque<Entry>& entries, QuantizationTarget target,
                                   std::string_view identifier) {
  std::vector<const Entry*> found;
  for (const Entry& entry : entries)
    if (entry.mark.target == target && entry.mark.identifier == identifier) found.push_back(&entry);
  return found;
}

template <class Entry>
std::vector<const Entry*> serving(const std::vector<const Entry*>& entries, QuantizationMethod method) {
  std::vector<const Entry*> found;
  std::copy_if(entries.begin(), entries.end(), std::back_inserter(found),
               [&](const Entry* entry) { return entry->mark.serves(method); });
  return found;
}

/// Sorted, each once.
template <class Wanted>
std::vector<std::string> identifiers(const std::deque<TrainableEntry>& entries, Wanted wanted) {
  std::set<std::string> found;
  for (const TrainableEntry& entry : entries)
    if (wanted(entry.mark)) found.emplace(entry.mark.identifier);
  return {found.begin(), found.end()};
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

/// For an identifier that no quantizer of this target has, though one of the other target may.
[[noreturn]] void fail_unknown(const std::deque<TrainableEntry>& entries, QuantizationTarget target,
                               std::string_view wanted, std::string_view identifier) {
  const auto known = identifiers(entries, [&](const QuantizerMark& mark) { return mark.target == target; });
  for (const TrainableEntry& entry : entries)
    if (entry.mark.identifier == identifier)
      fail<ValueError>("no trainable quantizer for ", wanted, ": it is one for ", name_of(entry.mark.target),
                       " alone; for ", name_of(target), " there are ", joined(known));
  fail<ValueError>("no trainable quantizer for ", wanted, ": ", unknown_name("identifier", identifier, known));
}

}  // namespace

const TrainableEntry& get_trainable_quantizer_class(QuantizationTarget target, std::string_view identifier,
                                                    QuantizationMethod method) {
  Registry& known = registry();
  const std::lock_guard lock(known.mutex);
  const auto candidates = matching(known.trainable, target, identifier);
  const auto found = serving(candidates, method);
  if (found.size() == 1) return *found.front();
  const std::string wanted = message(name_of(target), " ", name_of(method), " \"", identifier, "\"");
  if (found.size() > 1) fail<ValueError>("several trainable quantizers for ", wanted, ": ", names(found));
  if (!candidates.empty())
    fail<ValueError>("no trainable quantizer for ", wanted, "; there is ", names(candidates), ", and for ",
                     name_of(target), " ", name_of(method), ": ",
                     joined(identifiers(known.trainable, [&](const QuantizerMark& mark) {
                       return mark.target == target && mark.serves(method);
                     })));
  fail_unknown(known.trainable, target, wanted, identifier);
}

QuantizationMethod default_method(QuantizationTarget target, std::string_view identifier) {
  Registry& known = registry();
  const std::lock_guard lock(known.mutex);
  const auto candidates = matching(known.trainable, target, identifier);
  if (candidates.empty())
    fail_unknown(known.trainable, target, message(name_of(target), " \"", identifier, "\""), identifier);
  if (!serving(candidates, QuantizationMethod::SYMMETRIC).empty()) return QuantizationMethod::SYMMETRIC;
  return candidates.front()->mark.methods.front();
}

std::string_view get_inferable_quantizer_class(QuantizationTarget target, QuantizationMethod method) {
  Registry& known = registry();
  const std::lock_guard lock(known.mutex);
  const auto found = serving(matching(known.inferable, target, inferable_identifier), method);
  if (found.size() == 1) return found.front()->class_name;
  fail<ValueError>(found.empty() ? "no" : "several", " inferable quantizers for ", name_of(target), " ",
                   name_of(method), found.empty() ? "" : ": ", names(found));
}

std::vector<std::string> trainable_identifiers() {
  Registry& known = registry();
  const std::lock_guard lock(known.mutex);
  return identifiers(known.trainable, [](const QuantizerMark&) { return true; });
}

TrainablePtr make_trainable(std::string_view identifier, const TrainableQuantizerWeightsConfig& config,
                            bool freeze_quant_params) {
  return get_trainable_quantizer_class(QuantizationTarget::Weights, identifier, config.method)
      .weights(config, freeze_quant_params);
}

TrainablePtr make_trainable(std::string_view identifier, const TrainableQuantizerActivationConfig& config,
                            bool freeze_quant_params) {
  return get_trainable_quantizer_class(QuantizationTarget::Activation, identifier, config.method)
      .activation(config, freeze_quant_params);
}

void register_entry(TrainableEntry entry) {
  Registry& known = registry();
  const std::lock_guard lock(known.mutex);
  add(known.trainable, std::move(entry));
}

void register_entry(InferableEntry entry) {
  Registry& known = registry();
  const std::lock_guard lock(known.mutex);
  add(known.inferable, std::move(entry));
}

std::vector<TrainableEntry> trainable_quantizers() {
  Registry& known = registry();
  const std::lock_guard lock(known.mutex);
  return {known.trainable.begin(), known.trainable.end()};
}

std::vector<InferableEntry> inferable_quantizers() {
  Registry& known = registry();
  const std::lock_guard lock(known.mutex);
  return {known.inferable.begin(), known.inferable.end()};
}

InferablePtr inferable_from_json(std::string_view json) {
  const std::string name = JsonReader(json, "inferable quantizer").string("class");
  std::vector<std::string> known;
  for (const InferableEntry& entry : inferable_quantizers()) {
    if (entry.class_name == name) return entry.from_json(json);
    known.push_back(entry.class_name);
  }
  throw ValueError(unknown_name("inferable quantizer", name, known));
}

}  // namespace bitgrad
