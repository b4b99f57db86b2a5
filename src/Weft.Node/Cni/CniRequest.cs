using System.Text.Json.Nodes;

namespace Weft.Node.Cni;

/// <summary>CNI_COMMAND.</summary>
internal enum CniVerb
{
    Add,
    Del,
    Check,
    Gc,
    Status,
    Version,
}

/// <summary>
/// One CNI call, validated: the environment and standard input of the plugin process, either in that process or as they arrived at the agent's socket.
/// Never logged whole: a configuration may carry secrets of other plugins.
/// </summary>
internal sealed record CniRequest
{
    public const string VerbVariable = "CNI_COMMAND";

    /// <summary>Set by the plugin process, not by the runtime: "ipam" when it was called as weft-ipam or calico-ipam.</summary>
    public const string PluginVariable = "WEFT_PLUGIN";
    private const string ContainerIdVariable = "CNI_CONTAINERID";
    private const string NetnsVariable = "CNI_NETNS";
    private const string InterfaceVariable = "CNI_IFNAME";
    private const string ArgumentsVariable = "CNI_ARGS";

    /// <summary>The variables that travel to the agent.</summary>
    public static IReadOnlyList<string> Variables { get; } = [VerbVariable, ContainerIdVariable, NetnsVariable, InterfaceVariable, ArgumentsVariable, "CNI_PATH"];

    public required CniVerb Verb { get; init; }

    /// <summary>Only addresses are asked for, by another plugin.</summary>
    public bool IsIpam { get; init; }

    /// <summary>Empty for GC and STATUS.</summary>
    public string ContainerId { get; init; } = string.Empty;

    /// <summary>Path of the pod's network namespace; empty when DEL comes after it has gone.</summary>
    public string NetnsPath { get; init; } = string.Empty;

    /// <summary>Name of the interface in the pod.</summary>
    public string InterfaceName { get; init; } = string.Empty;

    /// <summary>CNI_ARGS, split.</summary>
    public IReadOnlyDictionary<string, string> Arguments { get; init; } = new Dictionary<string, string>();

    public required NetworkConfig Config { get; init; }

    /// <summary>What this pod asks for; for verbs about a pod.</summary>
    public PodWishes Wishes { get; init; } = new();

    /// <summary>CNI_ARGS names a pod and its namespace.</summary>
    public bool IsKubernetes => NamesPod(Arguments);

    /// <summary>"environment" of a request as it travels over the agent's socket.</summary>
    public static Dictionary<string, string> ReadEnvironment(JsonObject line)
    {
        Dictionary<string, string> environment = [];
        foreach ((string name, JsonNode? value) in line["environment"] as JsonObject ?? [])
        {
            if (value is JsonValue text && text.TryGetValue(out string? word))
            {
                environment[name] = word;
            }
        }

        return environment;
    }

    /// <exception cref="CniException">A code of the specification and the variable or key that is wrong.</exception>
    public static CniRequest Parse(IReadOnlyDictionary<string, string> environment, JsonObject config)
    {
        CniVerb verb = ParseVerb(environment.GetValueOrDefault(VerbVariable, string.Empty));
        NetworkConfig network = NetworkConfig.Parse(config);
        RequireVersion(verb, network.CniVersion);
        if (verb is CniVerb.Gc or CniVerb.Status or CniVerb.Version)
        {
            return new CniRequest { Verb = verb, Config = network };
        }

        IReadOnlyDictionary<string, string> arguments = ParseArguments(environment.GetValueOrDefault(ArgumentsVariable, string.Empty));
        CniRequest request = new()
        {
            Verb = verb,
            IsIpam = environment.GetValueOrDefault(PluginVariable) == "ipam",
            Config = network,
            ContainerId = Require(environment, ContainerIdVariable),
            InterfaceName = Require(environment, InterfaceVariable),
            NetnsPath = verb == CniVerb.Del ? environment.GetValueOrDefault(NetnsVariable, string.Empty) : Require(environment, NetnsVariable),
            Arguments = arguments,
            Wishes = verb == CniVerb.Add || verb == CniVerb.Check ? PodWishes.Parse(network, new ConfigReader(config, string.Empty), arguments, NamesPod(arguments)) : new PodWishes(),
        };
        if (!IsIdentifier(request.ContainerId))
        {
            throw new CniException(CniErrorCode.InvalidEnvironment, $"{ContainerIdVariable} \"{request.ContainerId}\": expected letters, digits, '_', '.' and '-', beginning with a letter or digit");
        }

        if (!IsInterfaceName(request.InterfaceName))
        {
            throw new CniException(CniErrorCode.InvalidEnvironment, $"{InterfaceVariable} \"{request.InterfaceName}\": expected 1 to 15 characters without '/', ':' and blanks, neither \".\" nor \"..\"");
        }

        return request;
    }

    /// <summary>The rule of the specification for container ids and network names.</summary>
    public static bool IsIdentifier(string text) =>
        text.Length > 0 && char.IsAsciiLetterOrDigit(text[0]) && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-');

    /// <summary>The kernel's rule (dev_valid_name): shorter than IFNAMSIZ, no '/', ':' or white space.</summary>
    public static bool IsInterfaceName(string text) =>
        text.Length is > 0 and < 16 && text is not ("." or "..") && !text.Any(c => c is '/' or ':' || char.IsWhiteSpace(c) || c > 0x7e);

    private static CniVerb ParseVerb(string text) => text switch
    {
        "ADD" => CniVerb.Add,
        "DEL" => CniVerb.Del,
        "CHECK" => CniVerb.Check,
        "GC" => CniVerb.Gc,
        "STATUS" => CniVerb.Status,
        "VERSION" => CniVerb.Version,
        "" => throw new CniException(CniErrorCode.InvalidEnvironment, $"{VerbVariable} is not set"),
        _ => throw new CniException(CniErrorCode.InvalidEnvironment, $"{VerbVariable} \"{text}\": expected ADD, DEL, CHECK, GC, STATUS or VERSION"),
    };

    private static void RequireVersion(CniVerb verb, string version)
    {
        string floor = verb switch { CniVerb.Check => "0.4.0", CniVerb.Gc or CniVerb.Status => "1.1.0", _ => CniVersions.Supported[0] };
        if (!CniVersions.AtLeast(version, floor))
        {
            throw new CniException(CniErrorCode.IncompatibleVersion, $"{verb.ToString().ToUpperInvariant()} needs cniVersion {floor} or newer, the configuration says {version}");
        }
    }

    private static string Require(IReadOnlyDictionary<string, string> environment, string variable) =>
        environment.GetValueOrDefault(variable) is { Length: > 0 } value
            ? value
            : throw new CniException(CniErrorCode.InvalidEnvironment, $"{variable} is not set");

    private static Dictionary<string, string> ParseArguments(string text)
    {
        Dictionary<string, string> arguments = [];
        foreach (string pair in text.Split(';', StringSplitOptions.RemoveEmptyEntries))
        {
            int equals = pair.IndexOf('=');
            if (equals <= 0)
            {
                throw new CniException(CniErrorCode.InvalidEnvironment, $"{ArgumentsVariable}: \"{pair}\": expected KEY=VALUE");
            }

            arguments[pair[..equals]] = pair[(equals + 1)..];
        }

        return arguments;
    }

    private static bool NamesPod(IReadOnlyDictionary<string, string> arguments) =>
        arguments.GetValueOrDefault("K8S_POD_NAME") is { Length: > 0 } && arguments.GetValueOrDefault("K8S_POD_NAMESPACE") is { Length: > 0 };
}
