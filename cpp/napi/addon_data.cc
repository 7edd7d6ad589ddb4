#include "napi/addon_data.h"

#include "program/recorder.h"

namespace dyconv {

AddonData::AddonData(Napi::Env environment) : js_home(std::make_shared<JsHome>(environment)) {}

// The environment has ended and its references with it: they must not be deleted again.
AddonData::~AddonData() {
  for (Napi::FunctionReference& error_class : error_classes) error_class.SuppressDestruct();
  for (Napi::FunctionReference* reference : {&tensor_class, &collector, &tracer})
    reference->SuppressDestruct();
}

void AddonData::DeleteIfUnused() {
  if (environment_closed && tensors.empty()) delete this;
}

}  // namespace dyconv
