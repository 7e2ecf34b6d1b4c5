#include "bridge/tools/yaml.h"

#include <array>
#include <map>
#include <sstream>
#include <stdexcept>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <boost/system/errc.hpp>

#include "bridge/json.h"
#include "bridge/utf8.h"

namespace progtc::bridge {
namespace {

constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxNodes = 10'000;
constexpr std::size_t kMaxText = 1024UL * 1024;

Error bad(std::string what) {
  return Error{boost::system::errc::make_error_code(boost::system::errc::invalid_argument), std::move(what)};
}

// Leaves yaml-cpp's parser, which knows no other way out of an event.
struct Refusal : std::runtime_error {
  using std::runtime_error::runtime_error;
};

[[noreturn]] void refuse(const YAML::Mark& mark, const std::string& what) {
  throw Refusal(std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1) + ": " + what);
}

class TreeBuilder final : public YAML::EventHandler {
 public:
  YamlNode take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode node = begin(mark, YamlNode::Kind::kNull);
    end(std::move(node), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) refuse(mark, "an alias stands inside what it stands for");
    YamlNode node = found->second;  // a copy: what it costs is counted first
    count(mark, node);
    end(std::move(node), 0);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node = begin(mark, YamlNode::Kind::kScalar);
    if (tag != "?" && tag != "!" && !tag.empty() && tag != "tag:yaml.org,2002:str")
      refuse(mark, "tags are not supported");
    node.is_plain = tag == "?";
    node.text = value;
    charge(mark, value.size());
    if (!is_utf8(value)) refuse(mark, "not UTF-8");
    // Written as an escape, it would end an argument, and the word that the program sees would be another.
    if (value.find('\0') != std::string::npos) refuse(mark, "a NUL character");
    if (node.is_plain && (value == "null" || value == "Null" || value == "NULL" || value == "~" || value.empty()))
      node.kind = YamlNode::Kind::kNull;
    end(std::move(node), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, YamlNode::Kind::kSequence, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, YamlNode::Kind::kMapping, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    YamlNode node;
    YAML::anchor_t anchor;
    bool has_key = false;
    YamlNode key;
  };

  YamlNode begin(const YAML::Mark& mark, YamlNode::Kind kind) {
    if (++nodes_ > kMaxNodes) refuse(mark, "more than " + std::to_string(kMaxNodes) + " nodes");
    YamlNode node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }

  void charge(const YAML::Mark& mark, std::size_t bytes) {
    text_ += bytes;
    if (text_ > kMaxText) refuse(mark, "more than " + std::to_string(kMaxText) + " bytes of text");
  }

  void count(const YAML::Mark& mark, const YamlNode& node) {
    if (++nodes_ > kMaxNodes) refuse(mark, "more than " + std::to_string(kMaxNodes) + " nodes");
    charge(mark, node.text.size());
    for (const YamlNode& item : node.items) count(mark, item);
    for (const YamlMember& member : node.members) {
      count(mark, member.key);
      count(mark, member.value);
    }
  }

  void open(const YAML::Mark& mark, YamlNode::Kind kind, YAML::anchor_t anchor) {
    if (open_.size() == kMaxDepth) refuse(mark, "nested deeper than " + std::to_string(kMaxDepth) + " levels");
    YamlNode node = begin(mark, kind);
    open_.push_back(Open{std::move(node), anchor, false, {}});
  }

  void close() {
    YamlNode node = std::move(open_.back().node);
    const YAML::anchor_t anchor = open_.back().anchor;
    open_.pop_back();
    end(std::move(node), anchor);
  }

  void end(YamlNode node, YAML::anchor_t anchor) {
    if (anchor != 0) anchors_[anchor] = node;
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == YamlNode::Kind::kSequence) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.has_key) {
      parent.key = std::move(node);
      parent.has_key = true;
    } else {
      parent.node.members.push_back(YamlMember{std::move(parent.key), std::move(node)});
      parent.has_key = false;
    }
  }

  YamlNode root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, YamlNode> anchors_;
  std::size_t nodes_ = 0;
  std::size_t text_ = 0;
};

bool is_one_of(const std::string& text, std::string_view lower_words) {
  std::string lower;
  for (const char c : text) lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  // As PyYAML: yes, Yes, YES, and not yEs.
  const bool is_cased = text == lower || text.substr(1) == lower.substr(1) ||
                        text.find_first_of("abcdefghijklmnopqrstuvwxyz") == std::string::npos;
  return is_cased && lower_words.find(" " + lower + " ") != std::string_view::npos;
}

}  // namespace

const char* YamlNode::what() const {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kSequence:
      return "a list";
    case Kind::kMapping:
      return "a mapping";
    case Kind::kScalar:
      break;
  }
  return is_boolean() ? "a boolean" : is_number() ? "a number" : "a string";
}

bool YamlNode::is_boolean() const {
  return kind == Kind::kScalar && is_plain && !text.empty() && is_one_of(text, " true false yes no on off ");
}

bool YamlNode::is_true() const { return is_boolean() && is_one_of(text, " true yes on "); }

bool YamlNode::is_number() const {
  return kind == Kind::kScalar && is_plain && !text.empty() && kind_of(text) == JsonKind::kNumber && check_json(text);
}

bool YamlNode::is_string() const { return kind == Kind::kScalar && !is_boolean() && !is_number(); }

std::string YamlNode::place() const { return std::to_string(line) + ":" + std::to_string(column); }

Result<YamlNode> parse_yaml(std::string_view text) {
  if (text.size() > kMaxYamlBytes)
    return bad("1:1: the file has more than " + std::to_string(kMaxYamlBytes) + " bytes");
  // yaml-cpp guesses the encoding, and reads what is no UTF-8 as something else.
  if (!is_utf8(text)) return bad("1:1: not UTF-8");
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) return bad("1:1: the file holds a NUL byte");
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder tree;
    if (!parser.HandleNextDocument(tree)) return YamlNode{};
    TreeBuilder second;
    if (parser.HandleNextDocument(second)) {
      const YamlNode node = second.take_root();
      return bad(node.place() + ": a second document; a tool file holds one");
    }
    return tree.take_root();
  } catch (const Refusal& refusal) {
    return bad(refusal.what());
  } catch (const YAML::Exception& error) {
    return bad(std::to_string(error.mark.line + 1) + ":" + std::to_string(error.mark.column + 1) + ": " + error.msg);
  } catch (const std::exception& error) {
    return bad(std::string("1:1: the YAML parser gave up: ") + error.what());
  }
}

}  // namespace progtc::bridge
