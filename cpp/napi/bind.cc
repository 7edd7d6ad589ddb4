#include "napi/bind.h"

#include <cstring>

#include "napi/hot_path.h"

namespace dyconv {

void Register(Napi::Object exports, const OpTable& table) {
  for (const Op& op : table) {
    const std::string name(op.signature, std::strchr(op.signature, '('));
    exports.Set(name, NewFunction(exports.Env(), name, op));
  }
}

void RegisterOperations(const OpTable& table) {
  for (const Op& op : table)
    if (op.prepare) RegisterOperation({op.signature, op.prepare});
}

}  // namespace dyconv
