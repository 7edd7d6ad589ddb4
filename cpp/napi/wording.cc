#include "napi/wording.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace dyconv {
namespace {

struct Words {
  ErrorKind kind;
  std::string_view text;
};

// The first words found decide.
constexpr std::array kWords = {
    Words{ErrorKind::kNative, "out of memory"},
    Words{ErrorKind::kNative, "backward through the graph a second time"},
    Words{ErrorKind::kNative, "does not require grad"},
    Words{ErrorKind::kNative, "in-place operation"},
    Words{ErrorKind::kNative, "nference tensor"},
    Words{ErrorKind::kNative, "singular"},
    Words{ErrorKind::kNative, "not positive-definite"},
    Words{ErrorKind::kArgument, "step must be nonzero"},
    Words{ErrorKind::kArgument, "step sign"},
    Words{ErrorKind::kArgument, "step must be positive"},
    Words{ErrorKind::kArgument, "wrapping around more than once"},
    Words{ErrorKind::kArgument, "non-finite values"},
    Words{ErrorKind::kArgument, "invalid norm type"},
    Words{ErrorKind::kArgument, "positive-norm"},
    Words{ErrorKind::kArgument, "maxnorm to be >= 0"},
    Words{ErrorKind::kArgument, "must be finite, got"},
    Words{ErrorKind::kArgument, "cannot be 0 for"},
    Words{ErrorKind::kArgument, "ZeroDivisionError"},
    Words{ErrorKind::kArgument, "greater than or equal to 1"},
    Words{ErrorKind::kArgument, "must be greater than 1"},
    Words{ErrorKind::kArgument, "does not support negative"},
    Words{ErrorKind::kArgument, "does not support non-positive"},
    Words{ErrorKind::kArgument, "not support negative n"},
    Words{ErrorKind::kArgument, "between 0.0 and 1.0"},
    Words{ErrorKind::kArgument, "empty index list"},
    Words{ErrorKind::kArgument, "must not be None"},
    Words{ErrorKind::kArgument, "must be defined in evaluation mode"},
    Words{ErrorKind::kArgument, "to be defined when"},
    Words{ErrorKind::kArgument, "should not be set when"},
    Words{ErrorKind::kArgument, "no hook at position"},
    Words{ErrorKind::kArgument, "Negative strides"},
    Words{ErrorKind::kArgument, "negative integer powers"},
    Words{ErrorKind::kArgument, "cannot have requires_grad"},
    Words{ErrorKind::kArgument, "operands were provided"},
    Words{ErrorKind::kArgument, "at least one operand"},
    Words{ErrorKind::kArgument, "at least one tensor"},
    Words{ErrorKind::kArgument, "int, or a tuple of"},
    Words{ErrorKind::kArgument, "should contain one int"},
    Words{ErrorKind::kArgument, "non-positive groups"},
    Words{ErrorKind::kArgument, "matrix_norm: Order"},
    Words{ErrorKind::kShape, "at least 2D"},
    Words{ErrorKind::kShape, "1-D argument"},
    Words{ErrorKind::kShape, "only supports 2D"},
    Words{ErrorKind::kShape, "must be 1D or 2D"},
    Words{ErrorKind::kShape, "must be 2D but"},
    Words{ErrorKind::kShape, "at least 1D"},
    Words{ErrorKind::kShape, "1-d and have the same length"},
    Words{ErrorKind::kShape, "same number of columns"},
    Words{ErrorKind::kShape, "vector + matrix @ vector"},
    Words{ErrorKind::kShape, "needs 4d"},
    Words{ErrorKind::kShape, "same number of batches"},
    Words{ErrorKind::kShape, "for each sample point"},
    Words{ErrorKind::kShape, "expected at least 2 tensors"},
    Words{ErrorKind::kDType, "ByteTensor"},
    Words{ErrorKind::kShape, "RNG state must be"},
    Words{ErrorKind::kDType, "Type promoting not supported"},
    Words{ErrorKind::kDType, "types other than"},
    Words{ErrorKind::kDType, "at::autocast::prioritize"},
    Words{ErrorKind::kShape, "prob_dist must be 1 or 2 dim"},
    Words{ErrorKind::kArgument, "probability tensor"},
    Words{ErrorKind::kArgument, "probability has to be"},
    Words{ErrorKind::kArgument, "should be between 0 and 1"},
    Words{ErrorKind::kArgument, "to be true, but got false"},
    Words{ErrorKind::kArgument, "non-negative integral"},
    Words{ErrorKind::kShape, "non-empty list"},
    Words{ErrorKind::kShape, "non-empty TensorList"},
    Words{ErrorKind::kArgument, "invalid subscript"},
    Words{ErrorKind::kArgument, "input overflowed"},
    Words{ErrorKind::kArgument, "Class values"},
    Words{ErrorKind::kArgument, "bins must be"},
    Words{ErrorKind::kArgument, "prob_dist"},
    Words{ErrorKind::kArgument, "cannot sample n_sample"},
    Words{ErrorKind::kArgument, "invalid multinomial distribution"},
    Words{ErrorKind::kArgument, "weights cannot be negative"},
    Words{ErrorKind::kArgument, "must be greater than or equal to zero"},
    Words{ErrorKind::kArgument, "less than or equal to the upper bound"},
    Words{ErrorKind::kArgument, "`shifts` required"},
    Words{ErrorKind::kDevice, "accelerator device"},
    Words{ErrorKind::kDevice, "same device"},
    Words{ErrorKind::kDevice, "CUDA"},
    Words{ErrorKind::kDevice, "on cpu"},
    Words{ErrorKind::kDType, "dtype"},
    Words{ErrorKind::kDType, "scalar type"},
    Words{ErrorKind::kDType, "result type"},
    Words{ErrorKind::kDType, "has changed the type"},
    Words{ErrorKind::kDType, "data type"},
    Words{ErrorKind::kDType, "not implemented for '"},
    Words{ErrorKind::kDType, "floating point"},
    Words{ErrorKind::kDType, "Boolean"},
    Words{ErrorKind::kDType, "bool tensor"},
    Words{ErrorKind::kDType, "boolean tensor"},
    Words{ErrorKind::kDType, "ool input"},
    Words{ErrorKind::kDType, "unsigned type"},
    Words{ErrorKind::kDType, "Unsupported input type"},
    Words{ErrorKind::kDType, "nput type ("},
    Words{ErrorKind::kDType, " did not match "},
    Words{ErrorKind::kDType, "tensors used as indices must be"},
    Words{ErrorKind::kDType, "LongTensor"},
    Words{ErrorKind::kDType, "BoolTensor"},
    Words{ErrorKind::kDType, "long tensor"},
    Words{ErrorKind::kDType, "has to be Long"},
    Words{ErrorKind::kDType, "integral"},
    Words{ErrorKind::kDType, "Integral"},
    Words{ErrorKind::kShape, "shape"},
    Words{ErrorKind::kShape, "size"},
    Words{ErrorKind::kShape, "imension"},
    Words{ErrorKind::kShape, "dim"},
    Words{ErrorKind::kShape, "channels"},
    Words{ErrorKind::kShape, "out of range"},
    Words{ErrorKind::kShape, "out of bounds"},
    Words{ErrorKind::kShape, "element"},
    Words{ErrorKind::kShape, "scalar"},
    Words{ErrorKind::kShape, "view"},
    Words{ErrorKind::kShape, "1D or 2D tensor"},
    Words{ErrorKind::kShape, "1D tensor"},
    Words{ErrorKind::kShape, "3D tensor"},
    Words{ErrorKind::kShape, "4D tensor"},
    Words{ErrorKind::kShape, "4D or 5D"},
    Words{ErrorKind::kShape, "must be 2-D"},
    Words{ErrorKind::kShape, "same numel"},
    Words{ErrorKind::kShape, "target tensor expected"},
    Words{ErrorKind::kShape, "square matri"},
    Words{ErrorKind::kShape, "must be a matrix"},
    Words{ErrorKind::kShape, "too small"},
    Words{ErrorKind::kShape, "Stride calculation"},
    Words{ErrorKind::kShape, "multiplication overflow"},
    Words{ErrorKind::kShape, "Padding length"},
    Words{ErrorKind::kArgument, "non-negative"},
    Words{ErrorKind::kArgument, "greater than 0"},
    Words{ErrorKind::kArgument, "greater or equal to 0"},
    Words{ErrorKind::kArgument, "should be >= 0"},
    Words{ErrorKind::kArgument, "can not be negative"},
    Words{ErrorKind::kArgument, "unsupported range"},
    Words{ErrorKind::kArgument, "cannot be represented as a SymInt"},
    Words{ErrorKind::kArgument, "without overflow"},
    Words{ErrorKind::kArgument, "is not finite"},
    Words{ErrorKind::kArgument, "must be larger than"},
    Words{ErrorKind::kArgument, "must be > 0"},
    Words{ErrorKind::kArgument, "only p == 1"},
    Words{ErrorKind::kArgument, " expects "},
};

struct Phrase {
  std::string_view theirs, ours;
};

// In order: longer ones first.
constexpr std::array kPhrases = {
    Phrase{
        "  (Could this error message be improved?  If so, please report an enhancement request to PyTorch.)",
        ""},
    Phrase{
        "Specify retain_graph=True if you need to backward through the graph a second time or if you need to "
        "access saved tensors after calling backward.",
        "Pass retainGraph: true to the first pass to keep the graph."},
    Phrase{"Set allow_unused=True if this is the desired behavior.",
           "Pass allowUnused: true to get null for it."},
    Phrase{"ZeroDivisionError: ", ""},
    Phrase{"ZeroDivisionError", "division by zero"},
    Phrase{"Unexpected floating ScalarType in at::autocast::prioritize",
           "autocast converts float32 tensors and those of its own dtype only"},
    Phrase{"with respect to argument 'weight'. This input cannot have requires_grad True.",
           "with respect to weight, which must not require a gradient."},
    Phrase{"with respect to argument 'target'. This input cannot have requires_grad True.",
           "with respect to target, which must not require a gradient."},
    Phrase{"Tensor::index()", "index()"},
    Phrase{"Tensor::index_put_()", "index_put_()"},
    Phrase{"retain_graph=True", "retainGraph: true"},
    Phrase{"create_graph=True", "createGraph: true"},
    Phrase{"allow_unused=True", "allowUnused: true"},
    Phrase{"requires_grad=True", "requiresGrad: true"},
    Phrase{"keepdim=True", "keepdim: true"},
    Phrase{"replacement=False", "replacement: false"},
    Phrase{"unsigned char", "uint8"},
    Phrase{"signed char", "int8"},
    Phrase{"type (long int)", "type (int64)"},
    Phrase{"type (short int)", "type (int16)"},
    Phrase{"type (int)", "type (int32)"},
    Phrase{"type (float)", "type (float32)"},
    Phrase{"type (double)", "type (float64)"},
    Phrase{"c10::BFloat16", "bfloat16"},
    Phrase{"c10::Half", "float16"},
    Phrase{"index tensor of type LongTensor", "an int64 Tensor of indices"},
    Phrase{"BoolTensor", "a bool Tensor"},
    Phrase{"LongTensor", "an int64 Tensor"},
    Phrase{"must be long, int, byte or bool tensors", "must be int64, int32, uint8 or bool tensors"},
    Phrase{"a long tensor", "an int64 Tensor"},
    Phrase{"torch.linalg.", "linalg."},
    Phrase{"torch.", ""},
};

struct Word {
  std::string_view theirs, ours;
};

constexpr std::array kTokens = {
    Word{"Float", "float32"},     Word{"Double", "float64"}, Word{"Half", "float16"},
    Word{"BFloat16", "bfloat16"}, Word{"Long", "int64"},     Word{"Int", "int32"},
    Word{"Short", "int16"},       Word{"Char", "int8"},      Word{"Byte", "uint8"},
    Word{"Bool", "bool"},         Word{"True", "true"},      Word{"False", "false"},
    Word{"None", "null"},         Word{"SymInt", "integer"}, Word{"uint8_t", "uint8"},
    Word{"int8_t", "int8"},       Word{"int16_t", "int16"},  Word{"int32_t", "int32"},
    Word{"int64_t", "int64"},
};

bool IsWordCharacter(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// "index_add_" becomes "indexAdd_", "_unique2" "unique2".
std::string CamelCase(std::string_view word) {
  word.remove_prefix(std::min(word.find_first_not_of('_'), word.size()));
  std::string result;
  for (size_t i = 0; i < word.size(); ++i) {
    const bool joins = word[i] == '_' && i + 1 < word.size() && word[i + 1] != '_';
    if (joins) ++i;
    result += joins ? static_cast<char>(std::toupper(static_cast<unsigned char>(word[i]))) : word[i];
  }
  return result;
}

std::string OurWord(std::string_view word) {
  for (const Word& known : kTokens)
    if (word == known.theirs) return std::string(known.ours);
  const bool snake = word.find('_') != std::string_view::npos &&
                     std::none_of(word.begin(), word.end(), [](unsigned char c) { return std::isupper(c); });
  return snake ? CamelCase(word) : std::string(word);
}

void ReplaceAll(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

// Without "index_add(): " or "index_add_: " where the operation is indexAdd.
void DropOperation(std::string& text, std::string_view operation) {
  size_t end = 0;
  while (end < text.size() && IsWordCharacter(text[end])) ++end;
  std::string_view name(text.data(), end);
  const auto bare = [](std::string_view word) {
    while (!word.empty() && word.back() == '_') word.remove_suffix(1);
    return word;
  };
  if (name.empty() || bare(name) != bare(operation)) return;
  for (const std::string_view after : {"(): ", ": ", "() "}) {
    if (std::string_view(text).substr(end, after.size()) != after) continue;
    text.erase(0, end + after.size());
    return;
  }
}

}  // namespace

ErrorKind ClassOf(const std::string& message) {
  for (const Words& words : kWords)
    if (message.find(words.text) != std::string::npos) return words.kind;
  return ErrorKind::kNative;
}

std::string InOurWords(std::string message, const std::string& operation) {
  const size_t trace = message.find("\nException raised from");
  if (trace != std::string::npos) message.resize(trace);
  for (const Phrase& phrase : kPhrases) ReplaceAll(message, phrase.theirs, phrase.ours);
  std::string text;
  for (size_t at = 0; at < message.size();) {
    size_t end = at;
    while (end < message.size() && IsWordCharacter(message[end])) ++end;
    if (end == at) {
      text += message[at++];
    } else {
      text += OurWord(std::string_view(message).substr(at, end - at));
      at = end;
    }
  }
  DropOperation(text, operation);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

std::string PublicName(const std::string& operation) {
  static constexpr std::array kNames = {
      Word{"variance", "var"},
      Word{"maxDim", "max"},
      Word{"minDim", "min"},
      Word{"medianDim", "median"},
      Word{"nanmedianDim", "nanmedian"},
      Word{"uniqueDim", "unique"},
      Word{"divRounded", "div"},
      Word{"roundDecimals", "round"},
      Word{"indexFillTensor", "indexFill"},
      Word{"maskedFillTensor", "maskedFill"},
      Word{"clampTensor", "clamp"},
      Word{"trapezoidAt", "trapezoid"},
      Word{"cumulativeTrapezoidAt", "cumulativeTrapezoid"},
      Word{"scatterValue", "scatter"},
      Word{"indexPut", "indexPut_"},
      Word{"indexPutAccumulate", "indexPut_"},
      Word{"elements", "data"},
      Word{"readInto", "dataSync"},
      Word{"readIntoAsync", "data"},
      Word{"onTypedArray", "dataSync"},
      Word{"fromData", "tensor"},
      Word{"gradOf", "grad"},
      Word{"matrixNormNamed", "matrixNorm"},
      Word{"channelsLast", "contiguous"},
      Word{"copy", "copy_"},
      Word{"fill", "fill_"},
      Word{"uniform", "uniform_"},
      Word{"normal", "normal_"},
      Word{"inv", "inverse"},
      Word{"setRequiresGrad", "requiresGrad"},
      Word{"setGrad", "grad"},
      Word{"claimShared", "fromHandle"},
      Word{"releaseShared", "releaseHandle"},
      Word{"gradFunction", "gradFn"},
      Word{"runProgram", "runSync"},
      Word{"runProgramAsync", "run"},
      Word{"runBatchAsync", "runBatch"},
      Word{"runWaitingAsync", "run"},
      Word{"programState", "stateDict"},
      Word{"openWorld", "initProcessGroup"},
      Word{"joinGroup", "initProcessGroup"},
  };
  for (const Word& name : kNames)
    if (operation == name.theirs) return std::string(name.ours);
  // Of the two tables with a prefix: "collectiveAllReduce" is allReduce, "storeGet" store.get.
  constexpr std::string_view kCollective = "collective", kStore = "store";
  const auto rest = [&](std::string_view prefix) {
    std::string name = operation.substr(prefix.size());
    name[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(name[0])));
    return name;
  };
  if (operation.starts_with(kCollective)) return rest(kCollective);
  if (operation.starts_with(kStore)) return "store." + rest(kStore);
  constexpr std::string_view kInPlace = "InPlace";
  if (!operation.ends_with(kInPlace)) return operation;
  return PublicName(operation.substr(0, operation.size() - kInPlace.size())) + "_";
}

}  // namespace dyconv
