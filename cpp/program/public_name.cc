#include "program/public_name.h"

namespace dyconv {
namespace {
std::string (*public_name)(const std::string&) = nullptr;
}

void SetPublicName(std::string (*name)(const std::string& operation)) { public_name = name; }

std::string PublicNameOf(std::string_view signature) {
  const std::string name(signature.substr(0, signature.find('(')));
  return public_name == nullptr ? name : public_name(name);
}

}  // namespace dyconv
