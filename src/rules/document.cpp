#include "nfqws2/rules/document.hpp"

namespace nfqws2::rules {

const char* kind_name(Node::Kind kind) {
    switch (kind) {
    case Node::Kind::table:
        return "a table";
    case Node::Kind::array:
        return "an array";
    case Node::Kind::text:
        return "text";
    case Node::Kind::integer:
        return "a number";
    case Node::Kind::boolean:
        return "true or false";
    case Node::Kind::other:
        break;
    }
    return "a value of another kind";
}

} // namespace nfqws2::rules
