// Operations as JavaScript calls them, for error messages: the layer above has the names.
#pragma once

#include <string>
#include <string_view>

namespace dyconv {

// The function that turns "reluInPlace" into "relu_". Once, before the first recording.
void SetPublicName(std::string (*name)(const std::string& operation));

// The public name of a signature such as "reluInPlace(input)"; the name in it where no function was set.
std::string PublicNameOf(std::string_view signature);

}  // namespace dyconv
