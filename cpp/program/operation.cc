#include "program/operation.h"

#include <cstring>
#include <map>

#include "typed_error.h"

namespace dyconv {
namespace {

// Filled while the add-on is loaded for the first time, read ever after. Never destroyed: programs of other
// threads may outlive static objects.
std::map<std::string, Operation, std::less<>>& Operations() {
  static auto* operations = new std::map<std::string, Operation, std::less<>>();
  return *operations;
}

}  // namespace

std::string Operation::Name() const { return {signature, std::strchr(signature, '(')}; }

std::string Operation::ArgumentName(size_t index) const {
  const char* start = std::strchr(signature, '(') + 1;
  for (; index > 0; --index) start = std::strchr(start, ',') + 2;
  return {start, std::strcspn(start, ",)")};
}

void RegisterOperation(Operation operation) {
  std::string name = operation.Name();
  Operations().insert_or_assign(std::move(name), std::move(operation));
}

const Operation* FindOperation(std::string_view name) {
  const auto found = Operations().find(name);
  return found == Operations().end() ? nullptr : &found->second;
}

bool IsConstant(const Value& value) {
  bool constant = true;
  ForEachValue(value, [&](const Value& part) {
    if (part.As<Slot>() || part.As<Affine>()) constant = false;
  });
  return constant;
}

void internal::CheckArity(const char* signature, size_t expected, size_t received) {
  Require(expected == received, ErrorKind::kArgument, "Expected ", expected, " arguments for ", signature,
          " but received ", received);
}

}  // namespace dyconv
