# get_dummies before the split; means over all rows before the split; regression, two models in two cells.

# %% [markdown]
# ## House prices (advanced regression)

# %%
import numpy as np, pandas as pd, matplotlib.pyplot as plt
from sklearn.model_selection import train_test_split
from sklearn.linear_model import LinearRegression, Lasso
from sklearn import metrics

# %%
HouseDF = pd.read_csv("train.csv")
HouseDF.head()

# %%
HouseDF.describe()

# %%
HouseDF.corr(numeric_only=True)['SalePrice'].sort_values(ascending=False)

# %%
missing = HouseDF.isnull().sum()
missing = missing[missing > 0]
missing.sort_values(inplace=True)
missing.plot.bar()

# %%
HouseDF['LotFrontage'] = HouseDF['LotFrontage'].fillna(HouseDF['LotFrontage'].mean())
HouseDF['GarageType'] = HouseDF['GarageType'].fillna(HouseDF['GarageType'].mode()[0])

# %%
plt.scatter(HouseDF['GrLivArea'], HouseDF['SalePrice'], s=4)
plt.xlabel('living area')

# %%
# two outliers bottom right
HouseDF = HouseDF.drop(HouseDF[(HouseDF['GrLivArea'] > 2600) & (HouseDF['SalePrice'] < 230000)].index)

# %%
HouseDF['Age'] = 2011 - HouseDF['YearBuilt']
HouseDF['AreaPerQual'] = HouseDF['GrLivArea'] / HouseDF['OverallQual']

# %%
del HouseDF['Id']

# %%
final_df = pd.get_dummies(HouseDF, drop_first=True)
final_df.shape

# %%
X = final_df.drop(['SalePrice'], axis=1)
y = final_df['SalePrice']

# %%
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=101)

# %%
lm = LinearRegression()
lm.fit(X_train, y_train)
print(lm.intercept_)

# %%
coeff_df = pd.DataFrame(lm.coef_, X.columns, columns=['Coefficient'])
coeff_df

# %%
predictions = lm.predict(X_test)
plt.scatter(y_test, predictions)

# %%
print('MAE:', metrics.mean_absolute_error(y_test, predictions))
print('RMSE:', np.sqrt(metrics.mean_squared_error(y_test, predictions)))
print('R2:', metrics.r2_score(y_test, predictions))

# %% [markdown]
# Lasso?

# %%
lasso = Lasso(alpha=5000)
lasso.fit(X_train, y_train)
print('R2 lasso:', metrics.r2_score(y_test, lasso.predict(X_test)))
