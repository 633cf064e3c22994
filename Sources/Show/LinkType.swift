/// A link-layer type: its number and its name in tcpdump.org's registry, for the types that captures have.
struct LinkType: CustomStringConvertible {
    private let number: UInt32

    init(_ number: UInt32) {
        self.number = number
    }

    /// Such as `9 (PPP)`.
    var description: String { Self.names[number].map { "\(number) (\($0))" } ?? "\(number)" }

    private static let names: [UInt32: String] = [
        3: "AX.25", 6: "IEEE 802.5 token ring", 7: "ARCNET", 8: "SLIP", 9: "PPP", 10: "FDDI",
        50: "PPP with HDLC framing", 51: "PPPoE", 99: "Symantec firewall", 100: "ATM with LLC", 104: "Cisco HDLC",
        105: "IEEE 802.11", 106: "classical IP over ATM", 107: "frame relay", 109: "OpenBSD encapsulating interface",
        114: "LocalTalk", 117: "OpenBSD pflog", 119: "IEEE 802.11 with Prism header", 122: "IP over Fibre Channel",
        123: "SunATM", 127: "IEEE 802.11 with radiotap header", 129: "ARCNET with Linux header", 138: "IEEE 1394",
        139: "MTP2 with header", 140: "MTP2", 141: "MTP3", 142: "SCCP", 143: "DOCSIS", 144: "IrDA",
        163: "IEEE 802.11 with AVS header", 165: "BACnet MS/TP", 166: "PPP of pppd", 169: "GPRS LLC",
        177: "Linux LAPD", 182: "frame relay, multilink", 187: "Bluetooth HCI H4", 189: "USB with Linux header",
        192: "per-packet information", 195: "IEEE 802.15.4", 197: "ERF", 201: "Bluetooth HCI H4 with header",
        202: "AX.25 KISS", 203: "LAPD", 204: "PPP with direction", 205: "Cisco HDLC with direction",
        206: "frame relay with direction", 209: "IPMB with Linux header", 215: "IEEE 802.15.4 without PHY",
        220: "USB with padded Linux header", 224: "Fibre Channel FC-2", 225: "Fibre Channel FC-2 with delimiters",
        226: "Solaris ipnet", 227: "SocketCAN", 230: "IEEE 802.15.4 without FCS", 231: "D-Bus", 235: "DVB-CI",
        240: "Hilscher netANALYZER", 241: "Hilscher netANALYZER transparent", 242: "IP over InfiniBand",
        243: "MPEG-2 transport stream", 245: "NFC LLCP", 247: "InfiniBand", 248: "SCTP", 249: "USBPcap",
        251: "Bluetooth low energy", 252: "Wireshark upper PDU", 253: "netlink", 254: "Bluetooth Linux monitor",
        256: "Bluetooth low energy with PHY", 258: "PKTAP", 264: "ISO 14443", 265: "radio data system",
        266: "USB of Darwin", 272: "Nordic BLE", 279: "Z-Wave", 283: "IEEE 802.15.4 TAP",
    ]
}
