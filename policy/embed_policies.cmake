# cmake -DOUT=… -DFILES=a.json|b.json -P embed_policies.cmake: the files as bytes in a C++ source. Bytes rather than string
# literals: no length limit, no delimiter that a file could contain.
string(REPLACE "|" ";" FILES "${FILES}")
set(arrays "")
set(entries "")
foreach(file ${FILES})
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "(................................)" "\\1\n    " lines "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${lines}")
  string(APPEND arrays "constexpr char k_${name}[] = {\n    ${bytes}};\n")
  string(APPEND entries "      {\"${name}\", std::string(k_${name}, sizeof k_${name})},\n")
endforeach()
set(text "// Generated from policies/*.json.
#include \"policy/decode.h\"

namespace progtc::policy {
namespace {
${arrays}}  // namespace

const std::vector<PolicySource>& shipped_policies() {
  static const std::vector<PolicySource> kPolicies = {
${entries}  };
  return kPolicies;
}
}  // namespace progtc::policy
")
file(WRITE ${OUT} "${text}")
