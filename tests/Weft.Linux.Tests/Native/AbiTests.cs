using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using Weft.Linux.Native;

namespace Weft.Linux.Tests.Native;

/// <summary>Asks the C compiler what the kernel headers of this machine say, and compares every constant and structure declared in Native/.</summary>
public class AbiTests
{
    private const string Headers = """
        #define _GNU_SOURCE
        #include <stdio.h>
        #include <stddef.h>
        #include <sched.h>
        #include <fcntl.h>
        #include <errno.h>
        #include <sys/mman.h>
        #include <sys/mount.h>
        #include <sys/file.h>
        #include <sys/socket.h>
        #include <netinet/in.h>
        #include <netinet/ip.h>
        #include <net/if.h>
        #include <linux/netlink.h>
        #include <linux/rtnetlink.h>
        #include <linux/if_link.h>
        #include <linux/if_addr.h>
        #include <linux/neighbour.h>
        #include <linux/fib_rules.h>
        #include <linux/if_ether.h>
        #include <linux/pkt_sched.h>
        #include <linux/pkt_cls.h>
        #include <linux/tc_act/tc_mirred.h>
        #include <linux/veth.h>
        #include <linux/nsfs.h>
        #include <linux/netfilter/nfnetlink.h>
        #include <linux/netfilter/nfnetlink_conntrack.h>
        #include <linux/netfilter/nfnetlink_log.h>
        #include <linux/netfilter/ipset/ip_set.h>
        #include <linux/netfilter/ipset/ip_set_hash.h>
        #include <linux/netfilter.h>
        #include <linux/netfilter/nf_tables.h>
        #include <linux/netfilter/nf_conntrack_common.h>
        #include <linux/netfilter/nf_nat.h>
        #include <linux/tcp.h>
        #include <linux/in6.h>
        #include <linux/icmpv6.h>
        #include <linux/userfaultfd.h>
        #ifndef UFFD_FEATURE_WP_ASYNC
        #define UFFD_FEATURE_WP_ASYNC (1<<15)
        #endif
        #define IFF_LOWER_UP (1<<16)
        #define AttributeTypeMask (NLA_TYPE_MASK & 0xffff)
        """;

    // Our type, the kernel's, and for each field of ours the kernel's.
    private static readonly (Type Ours, string Kernel, (string Ours, string Kernel)[] Fields)[] Structs =
    [
        (typeof(SockAddrNl), "struct sockaddr_nl", [("Family", "nl_family"), ("Pad", "nl_pad"), ("Pid", "nl_pid"), ("Groups", "nl_groups")]),
        (typeof(NlMsgHdr), "struct nlmsghdr",
            [("Length", "nlmsg_len"), ("Type", "nlmsg_type"), ("Flags", "nlmsg_flags"), ("Sequence", "nlmsg_seq"), ("Pid", "nlmsg_pid")]),
        (typeof(NlAttr), "struct nlattr", [("Length", "nla_len"), ("Type", "nla_type")]),
        (typeof(NlAttr), "struct rtattr", [("Length", "rta_len"), ("Type", "rta_type")]),
        (typeof(IfInfoMsg), "struct ifinfomsg",
            [("Family", "ifi_family"), ("Type", "ifi_type"), ("Index", "ifi_index"), ("Flags", "ifi_flags"), ("Change", "ifi_change")]),
        (typeof(IfAddrMsg), "struct ifaddrmsg",
            [("Family", "ifa_family"), ("PrefixLength", "ifa_prefixlen"), ("Flags", "ifa_flags"), ("Scope", "ifa_scope"), ("Index", "ifa_index")]),
        (typeof(RtMsg), "struct rtmsg",
            [("Family", "rtm_family"), ("DestinationLength", "rtm_dst_len"), ("SourceLength", "rtm_src_len"), ("Tos", "rtm_tos"), ("Table", "rtm_table"),
             ("Protocol", "rtm_protocol"), ("Scope", "rtm_scope"), ("Type", "rtm_type"), ("Flags", "rtm_flags")]),
        (typeof(RtNextHop), "struct rtnexthop", [("Length", "rtnh_len"), ("Flags", "rtnh_flags"), ("Hops", "rtnh_hops"), ("Index", "rtnh_ifindex")]),
        (typeof(NdMsg), "struct ndmsg",
            [("Family", "ndm_family"), ("Index", "ndm_ifindex"), ("State", "ndm_state"), ("Flags", "ndm_flags"), ("Type", "ndm_type")]),
        (typeof(FibRuleHdr), "struct fib_rule_hdr",
            [("Family", "family"), ("DestinationLength", "dst_len"), ("SourceLength", "src_len"), ("Tos", "tos"), ("Table", "table"),
             ("Action", "action"), ("Flags", "flags")]),
        (typeof(TcMsg), "struct tcmsg",
            [("Family", "tcm_family"), ("Index", "tcm_ifindex"), ("Handle", "tcm_handle"), ("Parent", "tcm_parent"), ("Info", "tcm_info")]),
        (typeof(TcRateSpec), "struct tc_ratespec",
            [("CellLog", "cell_log"), ("LinkLayer", "linklayer"), ("Overhead", "overhead"), ("CellAlign", "cell_align"), ("Mpu", "mpu"), ("Rate", "rate")]),
        (typeof(TcTbfQopt), "struct tc_tbf_qopt", [("Rate", "rate"), ("PeakRate", "peakrate"), ("Limit", "limit"), ("Buffer", "buffer"), ("Mtu", "mtu")]),
        (typeof(TcMirred), "struct tc_mirred",
            [("Index", "index"), ("Capab", "capab"), ("Action", "action"), ("RefCount", "refcnt"), ("BindCount", "bindcnt"), ("MirrorAction", "eaction"),
             ("InterfaceIndex", "ifindex")]),
        (typeof(TcpMd5Sig), "struct tcp_md5sig",
            [("Address", "tcpm_addr"), ("Flags", "tcpm_flags"), ("PrefixLength", "tcpm_prefixlen"), ("KeyLength", "tcpm_keylen"),
             ("InterfaceIndex", "tcpm_ifindex"), ("Key", "tcpm_key")]),
        (typeof(NfGenMsg), "struct nfgenmsg", [("Family", "nfgen_family"), ("Version", "version"), ("ResourceId", "res_id")]),
        (typeof(UCred), "struct ucred", [("Pid", "pid"), ("Uid", "uid"), ("Gid", "gid")]),
    ];

    [Fact]
    public void EveryConstantAndStructure_EqualsTheKernelHeaders()
    {
        Dictionary<string, long> ours = CollectOurs();
        string source = WriteProgram(ours.Keys);

        Dictionary<string, long> theirs = CompileAndRun(source);

        Assert.Equal(ours.OrderBy(static e => e.Key), theirs.OrderBy(static e => e.Key));
        Assert.True(ours.Count > 150, $"only {ours.Count} values were compared");
    }

    private static Dictionary<string, long> CollectOurs()
    {
        Dictionary<string, long> values = [];
        foreach (Type type in (Type[])[typeof(NetlinkConstants), typeof(RouteConstants), typeof(NetfilterConstants), typeof(IpSetConstants), typeof(NfTablesConstants), typeof(SocketConstants), typeof(SystemCalls)])
        {
            foreach (FieldInfo field in type.GetFields(BindingFlags.Public | BindingFlags.Static).Where(static f => f.IsLiteral))
            {
                values[field.Name] = Convert.ToInt64(field.GetRawConstantValue());
            }
        }

        foreach (Errno errno in Enum.GetValues<Errno>().Where(static e => e != Errno.None))
        {
            values[errno.ToString()] = (long)errno;
        }

        values["MS_BIND"] = (long)MountOptions.Bind;
        values["MS_REC"] = (long)MountOptions.Recursive;
        values["MS_SLAVE"] = (long)MountOptions.Slave;
        values["MS_SHARED"] = (long)MountOptions.Shared;
        foreach ((Type type, string kernel, (string, string)[] fields) in Structs)
        {
            values[$"sizeof({kernel})"] = Marshal.SizeOf(type);
            foreach ((string field, string kernelField) in fields)
            {
                values[$"offsetof({kernel}, {kernelField})"] = Marshal.OffsetOf(type, field);
            }
        }

        return values;
    }

    private static string WriteProgram(IEnumerable<string> expressions)
    {
        StringBuilder program = new(Headers);
        program.AppendLine("\nint main(void) {");
        foreach (string expression in expressions)
        {
            program.AppendLine($"printf(\"%s=%lld\\n\", \"{expression}\", (long long)({expression}));");
        }

        return program.AppendLine("return 0; }").ToString();
    }

    private static Dictionary<string, long> CompileAndRun(string source)
    {
        string folder = Directory.CreateTempSubdirectory("weft-abi").FullName;
        try
        {
            string program = Path.Combine(folder, "abi");
            File.WriteAllText(program + ".c", source);
            Run("cc", "-o", program, program + ".c");
            return Run(program).Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(static line => line.Split('='))
                .ToDictionary(static parts => parts[0], static parts => long.Parse(parts[1]));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Run(string file, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(file, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        string output = process.StandardOutput.ReadToEnd();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{file}: {error}");
        return output;
    }
}
