# Two modules in one file, of which a node may have loaded one only: the tests name these lines.

defmodule ShopWeb.Cart do
  def start(path) do
    Process.register(self(), __MODULE__)
    loop(%{:tea => 1, "milk" => 2}, path)
  end

  def add!(cart, {name, count}) do
    Map.update(cart, name, count, &(&1 + count))
  end

  def a <~> b do
    {a, b}
  end

  def loop(cart, path) do
    add!(cart, {:tea, 1}) <~> ~D[1998-05-20]
    if File.exists?(path), do: ShopWeb.Till.pay(cart)
    Process.sleep(20)
    loop(cart, path)
  end
end

defmodule ShopWeb.Till do
  def pay(cart) do
    count = map_size(cart)

    {:paid, Integer.to_string(count)}
  end
end
