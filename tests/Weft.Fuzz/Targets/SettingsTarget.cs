using System.Collections;
using System.Text;
using Weft.Hosting.Configuration;
using Weft.Node.Router;

namespace Weft.Fuzz.Targets;

/// <summary>A settings file: problems are reported, never thrown; without problems there is a configuration.</summary>
internal sealed class SettingsTarget : FuzzTarget
{
    private const string Good = """
        [router]
        router-id = 10.0.0.1
        local-as = 65001
        listen = 0.0.0.0:179, [::]:179
        networks = 10.1.0.0/16, 2001:db8::/48
        hold-time = 3s
        [neighbor:a]
        address = 10.0.0.2
        remote-as = 65002
        import = 10.0.0.0/8{16,24}, 0.0.0.0/0
        export = none
        password = secret
        ttl-security = 1
        families = ipv4, ipv6
        [neighbor:b]
        address = fe80::2
        interface = eth0
        remote-as = 1.10
        maximum-prefixes = 1000
        export = mine
        [neighbor:c]
        range = 10.9.0.0/16
        remote-as = 65010-65020, 4200000001
        role = provider
        add-path = receive
        [filter:mine]
        rule-10 = match prefix @list 10.0.0.0/8{16,24}, not community 65000:* then local-pref 200, prepend 2, accept
        default = reject
        [prefix-list:list]
        prefixes = 192.168.0.0/16+
        """;

    private static readonly Hashtable s_environment = [];

    private readonly string _file = Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), $"weft-fuzz-{Environment.ProcessId}.conf");

    public override string Name => "settings";

    public override IEnumerable<byte[]> Seeds => [Encoding.UTF8.GetBytes(Good), "[router]\nlocal-as=0\n"u8.ToArray(), []];

    public override IReadOnlyList<byte[]> Words =>
    [
        .. RouterSettings.All.Select(static s => Encoding.UTF8.GetBytes($"\n{s.Key} = ")),
        .. NeighborSettings.All.Select(static s => Encoding.UTF8.GetBytes($"\n[neighbor:x]\n{s.Key} = ")),
        "\n[neighbor:"u8.ToArray(), "]"u8.ToArray(), "{33,0}"u8.ToArray(), "-1"u8.ToArray(), "4294967296"u8.ToArray(), "0.0.0.0/0"u8.ToArray(), "::/129"u8.ToArray(),
        "\""u8.ToArray(), "= ="u8.ToArray(), "99999999999999999999h"u8.ToArray(), "fe80::1%eth0"u8.ToArray(),
    ];

    public override ulong Run(byte[] input)
    {
        File.WriteAllBytes(_file, input);
        try
        {
            SettingsReader reader = SettingsReader.Load(_file, s_environment);
            RouterSettings settings = RouterSettings.Read(reader, usesDatastore: input.Length % 2 == 0);
            ulong signature = Mix(1, (ulong)settings.Neighbors.Length);
            foreach (string problem in reader.Problems)
            {
                Require(problem.Length > 0, "an empty problem");
                signature = Mix(signature, (ulong)Letters(problem));
            }

            return signature;
        }
        finally
        {
            File.Delete(_file);
        }
    }

    /// <summary>The wording of a problem without the values quoted in it.</summary>
    private static int Letters(string text)
    {
        int hash = 17;
        foreach (string word in text.Split(' ').Where(static w => w.Length > 2 && w.All(char.IsAsciiLetterLower)))
        {
            hash = hash * 31 + word.Length + word[0];
        }

        return hash & 0xFFF;
    }
}
