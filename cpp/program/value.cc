#include "program/value.h"

#include <cstdio>
#include <sstream>

#include "typed_error.h"

namespace dyconv {
namespace {

std::string Text(std::monostate) { return "null"; }
std::string Text(bool value) { return value ? "true" : "false"; }
std::string Text(int64_t value) { return std::to_string(value); }
std::string Text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}
std::string Text(const std::string& value) { return "'" + value + "'"; }
std::string Text(const at::Tensor&) { return "a Tensor"; }
std::string Text(Slot value) { return "%" + std::to_string(value.index); }

std::string Text(Affine value) {
  std::string text = value.factor == 1 ? "B" : std::to_string(value.factor) + "*B";
  if (value.offset > 0) text += "+";
  return value.offset == 0 ? text : text + std::to_string(value.offset);
}

std::string Text(const List& list) {
  std::string text = "[";
  for (const Value& element : list) text += (&element == list.data() ? "" : ", ") + element.ToString();
  return text + "]";
}

std::string Text(const Record& record) {
  std::string text = "{";
  for (const auto& [key, element] : record)
    text += (text.size() == 1 ? " " : ", ") + key + ": " + element.ToString();
  return text + " }";
}

const char* NameOf(bool) { return "a boolean"; }
const char* NameOf(int64_t) { return "an integer"; }
const char* NameOf(double) { return "a number"; }
const char* NameOf(const std::string&) { return "a string"; }
const char* NameOf(const at::Tensor&) { return "a Tensor"; }
const char* NameOf(const List&) { return "a list"; }
const char* NameOf(const Record&) { return "a record"; }

}  // namespace

std::string Value::ToString() const {
  return Visit([](const auto& value) { return Text(value); });
}

template <class T>
void Value::RejectAs(const T& wanted) const {
  Fail(ErrorKind::kArgument, "Expected ", NameOf(wanted), " but received ", ToString());
}

template void Value::RejectAs(const bool&) const;
template void Value::RejectAs(const int64_t&) const;
template void Value::RejectAs(const double&) const;
template void Value::RejectAs(const std::string&) const;
template void Value::RejectAs(const at::Tensor&) const;
template void Value::RejectAs(const List&) const;
template void Value::RejectAs(const Record&) const;

}  // namespace dyconv
