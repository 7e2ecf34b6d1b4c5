// Holds policies/schema.json and the decoder to each other: the same keys everywhere, and the same verdict on
// schema_samples.json, which schema_test.py puts before a JSON Schema validator. What only the decoder can know
// (reasons, ranges after units, names of calls) is not in the samples.
#include <gtest/gtest.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "policy/fields.h"
#include "policy/json_cursor.h"
#include "policy/syscall_groups.h"
#include "tests/policy/support.h"

namespace progtc::policy {
namespace {

using Names = std::set<std::string>;

std::string read(const std::string& path) {
  std::ifstream in(std::string(PROGTC_SOURCE_DIR) + "/" + path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

const rapidjson::Value& schema() {
  static const auto kDocument = JsonDocument::parse("schema.json", read("policies/schema.json"));
  return kDocument->root().value();
}

Names keys(const rapidjson::Value& object) {
  Names names;
  for (const auto& member : object.GetObject()) names.insert(member.name.GetString());
  return names;
}

// The keys that the decoder knows at a place, from what it says about one that it does not; %s is where the key goes.
Names decoder_keys(const std::string& before, const std::string& after) {
  const std::string text = message(before + "\"a key that resembles nothing\": 1" + after);
  constexpr std::string_view kList = "expected one of ";
  const std::size_t at = text.find(kList);
  EXPECT_NE(at, std::string::npos) << text;
  Names names;
  std::stringstream list(text.substr(at + kList.size()));
  for (std::string name; std::getline(list, name, ',');) names.insert(name.substr(name.find_first_not_of(' ')));
  return names;
}

TEST(SchemaTest, HasTheDecodersKeys) {
  EXPECT_EQ(keys(schema()["properties"]), decoder_keys("{", "}"));
  const auto& definitions = schema()["$defs"];
  for (const char* section : {"filesystem", "syscalls", "limits", "python", "env", "tools"}) {
    EXPECT_EQ(keys(definitions[section]["properties"]), decoder_keys(std::string("{\"") + section + "\": {", "}}"))
        << section;
  }
  EXPECT_EQ(keys(definitions["network"]["anyOf"][1]["properties"]), decoder_keys("{\"network\": {", "}}"));
  for (const char* place : {"tmp", "shm", "work", "out"}) {
    EXPECT_EQ(keys(definitions["tmpfs"]["properties"]),
              decoder_keys(std::string("{\"filesystem\": {\"") + place + "\": {", "}}}"));
  }
  EXPECT_EQ(keys(definitions["syscalls"]["properties"]["rules"]["items"]["properties"]),
            decoder_keys("{\"syscalls\": {\"rules\": [{", "}]}}"));
  EXPECT_EQ(keys(definitions["tools"]["properties"]["per_tool"]["additionalProperties"]["anyOf"][1]["properties"]),
            decoder_keys("{\"tools\": {\"per_tool\": {\"x\": {", "}}}}"));
}

// The words of "^…(a|b|c)$".
Names alternatives(const std::string& pattern) {
  Names names;
  const std::size_t open = pattern.find('(');
  std::stringstream list(pattern.substr(open + 1, pattern.rfind(')') - open - 1));
  for (std::string name; std::getline(list, name, '|');) names.insert(name);
  return names;
}

TEST(SchemaTest, HasTheDecodersNames) {
  const auto& definitions = schema()["$defs"];
  Names groups;
  for (const SyscallGroup& group : syscall_groups()) groups.emplace(group.name);
  EXPECT_EQ(alternatives(definitions["groups"]["items"]["pattern"].GetString()), groups);

  const std::string binds = definitions["binds"]["items"]["pattern"].GetString();
  for (const std::string& source : symbolic_sources()) EXPECT_NE(binds.find("|" + source), std::string::npos) << source;
  EXPECT_EQ(static_cast<std::size_t>(std::count(binds.begin(), binds.end(), '@')), symbolic_sources().size());

  for (const auto& mode : definitions["network_mode"]["enum"].GetArray())
    EXPECT_TRUE(parse_network_mode(mode.GetString()));
  EXPECT_EQ(definitions["network_mode"]["enum"].Size(), 3U);
  for (const auto& site : definitions["python"]["properties"]["site"]["enum"].GetArray()) {
    EXPECT_TRUE(parse_site_packages(site.GetString()));
  }
  EXPECT_EQ(definitions["python"]["properties"]["site"]["enum"].Size(), 3U);
}

TEST(SchemaTest, HasTheDecodersBounds) {
  for (const LimitField& field : limit_fields()) {
    if (field.kind != LimitKind::kCount && field.kind != LimitKind::kRate) continue;
    const auto& property = schema()["$defs"]["limits"]["properties"][field.key.c_str()];
    EXPECT_EQ(property["minimum"].GetDouble(), field.least) << field.key;
    EXPECT_EQ(property["maximum"].GetDouble(), field.most) << field.key;
  }
}

TEST(SchemaTest, TheDecoderAgreesOnTheSamples) {
  const auto samples = JsonDocument::parse("schema_samples.json", read("tests/policy/schema_samples.json"));
  ASSERT_TRUE(samples) << samples.error().context;
  for (const auto& sample : samples->root().value().GetArray()) {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
    sample["policy"].Accept(writer);
    const std::string said = message(buffer.GetString());
    EXPECT_EQ(said == "ok", sample["valid"].GetBool()) << buffer.GetString() << "\n" << said;
  }
}

}  // namespace
}  // namespace progtc::policy
