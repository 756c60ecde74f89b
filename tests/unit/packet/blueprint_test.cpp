// Dissect and rebuild: the identity for well-formed packets, and the known exceptions.
#include "nfqws2/packet/blueprint.hpp"
#include "packet_testing.hpp"

#include <gtest/gtest.h>

namespace nfqws2::packet {
namespace {

std::string rebuilt(std::string_view text, const ReconstructOptions& options = {}) {
    const Buffer in = hex(text);
    BlueprintScratch scratch;
    return build(blueprint_of(dissect(in), scratch), options).text();
}

std::string plain(std::string_view text) {
    return upper_hex(hex(text));
}

TEST(Blueprint, WellFormedPacketsComeBackUnchanged) {
    const std::string packets[] = {
        "4610003D1234400040067F6E0A0100010A010002 94040000"
        "9C4001BB010203040A0B0C0D801801F653750000 0101080A1122334455667788 68656C6C6F",
        "4500003C00010000400666B70A0100010A010002 9C4001BB000003E800000000A002FAF097260000"
        "020405B40402080A000000010000000001030307",
        "62012345002F0040" + addresses6 +
            "3C00010400000000 0601010C000000000000000000000000"
            "9C4001BB000000010000000250100064 53080000 616263",
        "4500002400070000401166BE0A0100010A010002 1388003500101ABC 7061796C6F616421",
        "4500003800080000FF01A6BC0A0100FE0A010001 0303406900000000"
        "4500002C000900000111A5AD0A0100010A010009 1388829A00182659",
        "45000024007720B9401145950A0100010A010002 46464646464646464646464646464646",
        "6000000000102C40" + addresses6 + "0600001000000009 4141414141414141",
        "6000000000023209" + addresses6 + "7879", // raw: the dissected protocol is kept
        "6000000000023B09" + addresses6 + "7879",
    };
    for (const std::string& p : packets)
        EXPECT_EQ(rebuilt(p), plain(p));
}

TEST(Blueprint, EndPaddingStaysShort) {
    const char* padded = "4500003000010000400666C30A0100010A0100029C4001BB000003E800000000"
                         "7002FAF0D3470000020405B404020000";
    EXPECT_EQ(rebuilt(padded), plain(padded));
    EXPECT_EQ(rebuilt("4500003000010000400666C30A0100010A0100029C4001BB000003E800000000"
                      "7002FAF0D7490000020405B400000000"),
              plain("4500002C00010000400666C70A0100010A0100029C4001BB000003E800000000"
                    "6002FAF0E74D0000020405B4"))
        << "four bytes of it are not needed";
}

TEST(Blueprint, LengthsAndChecksumsAreRepaired) {
    EXPECT_EQ(rebuilt("4500002400070000401166BE0A0100010A010002 1388003500091111"
                      "7061796C6F616421 FFFF"),
              plain("4500002400070000401166BE0A0100010A010002 1388003500101ABC"
                    "7061796C6F616421"));
}

TEST(Blueprint, BrokenExtensionHeaderIsPayloadOfNoProtocol) {
    EXPECT_EQ(rebuilt("6000000000040040" + addresses6 + "06000104"),
              "6000000000043B40" + addresses6 + "06000104");
    EXPECT_EQ(rebuilt("6000000000043C40" + addresses6 + "06000104"),
              "6000000000043B40" + addresses6 + "06000104");
    EXPECT_EQ(rebuilt("6000000000082B40" + addresses6 + "3B00010400000000"),
              "6000000000082B40" + addresses6 + "3B00010400000000");
}

TEST(Blueprint, ManyExtensionHeaders) {
    std::string text = "6000000008000040" + addresses6;
    for (int i = 0; i < 256; i++)
        text += i == 255 ? "3B00010400000000" : "0000010400000000";
    EXPECT_EQ(rebuilt(text), text);
}

TEST(Blueprint, RubbishCannotBeRebuilt) {
    BlueprintScratch scratch;
    const Buffer in = hex("7878");
    EXPECT_EQ(build(blueprint_of(dissect(in), scratch)).error, "bad ip6");
}

} // namespace
} // namespace nfqws2::packet
